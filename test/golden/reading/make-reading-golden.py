"""Makes small pictures and sounds of many kinds, and what Pillow, tifffile and soundfile read from them.

pip install pillow tifffile imagecodecs numpy soundfile pydicom pillow-heif; ffmpeg on the path.
python3 make-reading-golden.py writes files/ and golden.json beside itself. Tests read those and never run Python.
"""
import json, os, struct, subprocess
import numpy as np, soundfile, tifffile
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, 'files')
os.makedirs(OUT, exist_ok=True)
rng = np.random.default_rng(7)
at = lambda name: os.path.join(OUT, name)
H, W = 9, 11
y, x = np.mgrid[0:H, 0:W]
rgb = np.stack([x * 23 % 256, y * 28 % 256, (x * 7 + y * 11) % 256], -1).astype('uint8')
ramp = (np.arange(H * W) * 41 % 4096).reshape(H, W)

# TIFF: sample types, packings, predictors, planes and tiles.
tif = lambda name, a, **how: tifffile.imwrite(at(name), a, metadata=None, **how)
tif('int8.tif', (ramp % 256 - 128).astype('int8'))
tif('int16.tif', (ramp - 1024).astype('int16'))
tif('int16_lzw_pred.tif', (ramp - 1024).astype('int16'), compression='lzw', predictor=True)
tif('uint16_12.tif', ramp.astype('uint16'))
tif('uint16_full.tif', (ramp * 16 + 15).astype('uint16'), compression='zlib')
tif('uint32.tif', (ramp * 70000).astype('uint32'), byteorder='>')
tif('int32_packbits.tif', (ramp * 70000 - 5).astype('int32'), compression='packbits')
tif('float16.tif', (ramp / 4096).astype('float16'))
tif('float_neg.tif', (ramp / 2048 - 1).astype('float32'))
tif('float_pred3.tif', (ramp / 2048 - 1).astype('float32'), compression='zlib', predictor=3)
tif('float64_big.tif', ramp / 7.0, bigtiff=True)
big = np.pad(np.stack([ramp, ramp * 2 % 4096, ramp * 3 % 4096]), ((0, 0), (0, 24), (0, 24))).astype('uint16')
tif('tiled_planes.tif', big, photometric='rgb', planarconfig='separate', tile=(16, 16))
tif('pages.tif', np.stack([ramp % 256, ramp // 16, ramp // 32]).astype('uint8'), photometric='minisblack')
tif('rgb_lzw.tif', rgb, photometric='rgb', compression='lzw', predictor=True)
tif('white_is_zero.tif', (ramp % 256).astype('uint8'), photometric='miniswhite')

# PNG: bits, palettes, transparency. Written by hand where Pillow has no such writer.
def png(name, depth, kind, lines, extra=b''):
    import zlib
    def chunk(tag, body): return struct.pack('>I', len(body)) + tag + body + struct.pack('>I', zlib.crc32(tag + body))
    body = zlib.compress(b''.join(lines))
    head = struct.pack('>IIBBBBB', W, H, depth, kind, 0, 0, 0)
    open(at(name), 'wb').write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + extra + chunk(b'IDAT', body) + chunk(b'IEND', b''))
def packed(values, depth):
    bits = ''.join(format(int(v), f'0{depth}b') for v in values)
    bits += '0' * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
def chunk(tag, body):
    import zlib
    return struct.pack('>I', len(body)) + tag + body + struct.pack('>I', zlib.crc32(tag + body))
for depth in (1, 2, 4):
    png(f'grey{depth}.png', depth, 0, [b'\0' + packed(line % (1 << depth), depth) for line in ramp])
png('grey16.png', 16, 0, [b'\0' + line.astype('>u2').tobytes() for line in ramp * 16])
png('grey16_sbit.png', 16, 0, [b'\0' + line.astype('>u2').tobytes() for line in ramp], chunk(b'sBIT', b'\x0c'))
palette = rng.integers(0, 256, (16, 3)).astype('uint8')
png('palette4.png', 4, 3, [b'\0' + packed(line % 16, 4) for line in ramp], chunk(b'PLTE', palette.tobytes()))
png('palette4_clear.png', 4, 3, [b'\0' + packed(line % 16, 4) for line in ramp],
    chunk(b'PLTE', palette.tobytes()) + chunk(b'tRNS', bytes(range(0, 160, 16))))
for filter_name in range(5):
    lines, above = [], np.zeros(W * 3, int)
    for line in rgb.reshape(H, -1).astype(int):
        left = np.concatenate([[0, 0, 0], line[:-3]]); corner = np.concatenate([[0, 0, 0], above[:-3]])
        p = left + above - corner
        pa, pb, pc = abs(p - left), abs(p - above), abs(p - corner)
        paeth = np.where((pa <= pb) & (pa <= pc), left, np.where(pb <= pc, above, corner))
        guess = [0 * line, left, above, (left + above) // 2, paeth][filter_name]
        lines.append(bytes([filter_name]) + ((line - guess) % 256).astype('uint8').tobytes()); above = line
    png(f'filter{filter_name}.png', 8, 2, lines)
Image.fromarray(np.concatenate([rgb, (ramp % 256)[..., None].astype('uint8')], -1)).save(at('rgba.png'))
Image.fromarray(rgb).save(at('colour.jpg'), quality=92)
Image.fromarray(rgb).convert('CMYK').save(at('cmyk.jpg'), quality=92)
exif = Image.Exif(); exif[0x0112] = 6
Image.fromarray(rgb).save(at('turned.png'), exif=exif)

# BMP and PNM.
Image.fromarray(rgb).save(at('colour.bmp'))
Image.fromarray((ramp % 256).astype('uint8')).save(at('grey.bmp'))
Image.fromarray(((ramp % 2) * 255).astype('uint8')).convert('1').save(at('bits.bmp'))
runs = np.repeat(np.arange(H), W).reshape(H, W).astype('uint8') % 4
rle = b''.join(bytes([6, int(v), 5, int(v)]) + b'\0\0' for v in runs[::-1, 0]) + b'\0\1'
entries = b''.join(bytes([int(c) for c in colour[::-1]]) + b'\0' for colour in palette[:4])
head = struct.pack('<IiiHHIIiiII', 40, W, H, 1, 8, 1, len(rle), 0, 0, 4, 0)
open(at('runs.bmp'), 'wb').write(b'BM' + struct.pack('<IHHI', 54 + 16 + len(rle), 0, 0, 54 + 16) + head + entries + rle)
Image.fromarray(rgb).save(at('colour.ppm'))
Image.fromarray(((ramp % 2) * 255).astype('uint8')).convert('1').save(at('bits.pbm'))
open(at('grey12.pgm'), 'wb').write(b'P5\n# twelve bits\n%d %d\n4095\n' % (W, H) + ramp.astype('>u2').tobytes())
open(at('text.pgm'), 'w').write('P2\n%d %d\n15\n' % (W, H) + '\n'.join(' '.join(str(v % 16) for v in line) for line in ramp))

# What optional packages read.
import gzip, imagecodecs, pydicom, pillow_heif
from pydicom.dataset import FileDataset, FileMetaDataset
pillow_heif.register_heif_opener()
wide = np.kron(rgb, np.ones((2, 2, 1), 'uint8'))[:16, :22]
Image.fromarray(wide).save(at('colour.heic'), quality=-1)
Image.fromarray(rgb).save(at('colour.jp2'), irreversible=False)
open(at('grey12.j2k'), 'wb').write(imagecodecs.jpeg2k_encode(ramp.astype('uint16'), level=0, reversible=True, codecformat='j2k', bitspersample=12))
open(at('colour.jxl'), 'wb').write(imagecodecs.jpegxl_encode(rgb, lossless=True))
volume = np.stack([ramp - 1000, ramp - 2000, ramp]).astype('<i2')
head = bytearray(348); struct.pack_into('<i', head, 0, 348); struct.pack_into('<8h', head, 40, 3, W, H, 3, 1, 1, 1, 1)
struct.pack_into('<2h', head, 70, 4, 16); struct.pack_into('<8f', head, 76, *[1.0] * 8); struct.pack_into('<2f', head, 108, 352, 1); head[344:348] = b'n+1\0'
open(at('volume.nii'), 'wb').write(bytes(head) + bytes(4) + volume.tobytes())
open(at('packed.nii.gz'), 'wb').write(gzip.compress(bytes(head) + bytes(4) + volume.tobytes(), mtime=0))
meta = FileMetaDataset(); meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
meta.MediaStorageSOPClassUID = '1.2.840.10008.5.1.4.1.1.2'; meta.MediaStorageSOPInstanceUID = '1.2.3'
slide = FileDataset('x', {}, file_meta=meta, preamble=bytes(128))
slide.Rows, slide.Columns, slide.SamplesPerPixel, slide.PhotometricInterpretation = H, W, 1, 'MONOCHROME2'
slide.BitsAllocated, slide.BitsStored, slide.HighBit, slide.PixelRepresentation = 16, 12, 11, 0
slide.RescaleSlope, slide.RescaleIntercept, slide.PixelData = '1', '-1024', ramp.astype('<u2').tobytes()
slide.save_as(at('ct.dcm'), enforce_file_format=True)
OPTIONAL = {'grey12.j2k': ramp, 'volume.nii': volume[0], 'packed.nii.gz': volume[0], 'ct.dcm': ramp - 1024.0, 'colour.jxl': rgb}

golden = {'pictures': {}, 'sounds': {}}
for name in sorted(os.listdir(OUT)):
    if name.endswith('.wav'): continue
    if name in OPTIONAL:
        a = OPTIONAL[name]
    elif name.endswith('.tif'):
        a = tifffile.TiffFile(at(name)).pages[0].asarray()
        if name == 'white_is_zero.tif': a = 255 - a
        if name == 'tiled_planes.tif': a = np.moveaxis(a, 0, -1)
    else:
        image = Image.open(at(name))
        if image.mode == 'P': image = image.convert('RGBA' if 'transparency' in image.info else 'RGB')
        if image.mode == '1': image = image.convert('L')
        a = np.asarray(image)
        if name == 'turned.png': a = np.rot90(a, -1)
        if name == 'grey12.pgm': a = ramp
    entry = {'shape': list(a.shape), 'values': [float(v) for v in a.reshape(-1)[:300]], 'sum': float(a.astype('float64').sum())}
    if not name.endswith('.tif') and name not in OPTIONAL:
        image = Image.open(at(name))
        if image.mode in ('RGB', 'CMYK') and name != 'turned.png':
            entry['grey'] = [int(v) for v in np.asarray(image.convert('L')).reshape(-1)]
    golden['pictures'][name] = entry

# WAV: what soundfile writes, and headers by hand.
tone = np.stack([np.sin(np.arange(60) * (k + 1) / 9) * 0.8 / (k + 1) for k in range(6)], 1)
for name, how in {'pcm8': 'PCM_U8', 'pcm16': 'PCM_16', 'pcm24': 'PCM_24', 'pcm32': 'PCM_32', 'float': 'FLOAT',
                  'double': 'DOUBLE', 'alaw': 'ALAW', 'ulaw': 'ULAW', 'ima': 'IMA_ADPCM', 'ms': 'MS_ADPCM'}.items():
    soundfile.write(at(name + '.wav'), np.tile(tone[:, :1], (20, 1)), 8000, subtype=how, format='WAV')
soundfile.write(at('rifx.wav'), tone[:, :2], 8000, subtype='PCM_16', format='WAV', endian='BIG')
soundfile.write(at('rf64.wav'), tone[:, :2], 8000, subtype='PCM_16', format='RF64')
soundfile.write(at('surround.wav'), tone, 8000, subtype='PCM_16', format='WAVEX')
def wav(name, bits, block, samples, tag=1, size=None, behind=b'', riff=None):
    data = b''.join(samples)
    size = len(data) if size is None else size
    body = b'WAVEfmt ' + struct.pack('<IHHIIHH', 16, tag, 1, 8000, 8000 * block, block, bits) + b'data' + struct.pack('<I', size & 0xffffffff) + data + behind
    open(at(name), 'wb').write(b'RIFF' + struct.pack('<I', (len(body) if riff is None else riff) & 0xffffffff) + body)
level = lambda bits: [int(v) for v in np.round(tone[:, 0] * (2 ** (bits - 1) - 1))]
wav('bits12.wav', 12, 2, [struct.pack('<h', v << 4) for v in level(12)])
wav('bits20.wav', 20, 3, [(v << 4).to_bytes(3, 'little', signed=True) for v in level(20)])
wav('bits24in32.wav', 24, 4, [struct.pack('<i', v << 8) for v in level(24)])
sixteen = [struct.pack('<h', v) for v in level(16)]
note = b'LIST' + struct.pack('<I', 4) + b'INFO'
for size in (0x7ffff000, 0x80000000, 0xffffffdb, 0xffffffff): wav(f'size_{size:08x}.wav', 16, 2, sixteen, size=size, riff=0xffffffff)
wav('size0.wav', 16, 2, sixteen, size=0, riff=0)
wav('size0_list.wav', 16, 2, sixteen, size=0, riff=0, behind=note)
for name in sorted(os.listdir(OUT)):
    if not name.endswith('.wav'): continue
    if name.startswith('size'): values = [struct.unpack('<h', v)[0] / 32768 for v in sixteen]
    # libsndfile takes this for a packed file where it is as short as this one.
    elif name == 'bits24in32.wav': values = [v / 2 ** 23 for v in level(24)]
    elif name in ('ima.wav', 'ms.wav'):  # decoders round the steps of ADPCM each in its own way
        said = subprocess.run(['ffmpeg', '-v', 'error', '-i', at(name), '-f', 'f32le', '-'], capture_output=True, check=True)
        values = np.frombuffer(said.stdout, '<f4')
    else: values = soundfile.read(at(name), always_2d=True)[0].reshape(-1)
    golden['sounds'][name] = {'length': len(values), 'values': [float(v) for v in values[:400]]}
text = json.dumps(golden)
open(os.path.join(HERE, 'golden.json'), 'w').write(text.replace('.0,', ',').replace('.0]', ']') + '\n')
