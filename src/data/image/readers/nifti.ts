/** NIfTI volumes (the package nifti-reader-js): each slice along the third axis is a page. */
import { optionalPackage } from '../../optional.js';
import type { PictureReader, Samples, SampleType, StoredHeader } from './stored.js';

interface NiftiHeader {
  readonly dims: readonly number[];
  readonly datatypeCode: number;
  readonly littleEndian: boolean;
  readonly scl_slope: number;
  readonly scl_inter: number;
}
interface Nifti {
  isCompressed(data: ArrayBuffer): boolean;
  decompress(data: ArrayBuffer): ArrayBuffer;
  readHeader(data: ArrayBuffer): NiftiHeader | null;
  readImage(header: NiftiHeader, data: ArrayBuffer): ArrayBuffer;
}

interface Kind {
  readonly bytes: number;
  read(view: DataView, at: number, little: boolean): number;
  readonly sample: SampleType;
}

/** NIfTI-1 datatype codes. */
const KINDS: Readonly<Record<number, Kind | undefined>> = {
  2: { bytes: 1, sample: 'uint8', read: (view, at) => view.getUint8(at) },
  4: { bytes: 2, sample: 'int16', read: (view, at, little) => view.getInt16(at, little) },
  8: { bytes: 4, sample: 'int32', read: (view, at, little) => view.getInt32(at, little) },
  16: { bytes: 4, sample: 'float32', read: (view, at, little) => view.getFloat32(at, little) },
  64: { bytes: 8, sample: 'float64', read: (view, at, little) => view.getFloat64(at, little) },
  256: { bytes: 1, sample: 'int16', read: (view, at) => view.getInt8(at) },
  512: { bytes: 2, sample: 'uint16', read: (view, at, little) => view.getUint16(at, little) },
  768: { bytes: 4, sample: 'uint32', read: (view, at, little) => view.getUint32(at, little) },
};

export const niftiReader: PictureReader = {
  async header(bytes, whole) {
    if (!whole) return undefined;
    return (await opened(bytes)).header;
  },
  async decode(bytes, { page }) {
    const { header, nifti, kind, image } = await opened(bytes);
    const { width, height } = header;
    const view = new DataView(image);
    const slope = scaled(nifti) ? nifti.scl_slope : 1;
    const offset = scaled(nifti) ? nifti.scl_inter : 0;
    const out: Samples =
      header.sample === 'float32' ? new Float32Array(width * height) : new Float64Array(width * height);
    const start = page * width * height;
    for (let at = 0; at < out.length; at += 1) {
      out[at] = kind.read(view, (start + at) * kind.bytes, nifti.littleEndian) * slope + offset;
    }
    const data =
      header.sample === 'uint8' ? Uint8Array.from(out) : header.sample === 'uint16' ? Uint16Array.from(out) : out;
    return { width, height, channels: 1, colour: 'grey', alpha: false, data };
  },
};

function scaled({ scl_slope: slope, scl_inter: offset }: NiftiHeader): boolean {
  return slope !== 0 && Number.isFinite(slope) && !(slope === 1 && offset === 0);
}

async function opened(
  bytes: Uint8Array,
): Promise<{ header: StoredHeader; nifti: NiftiHeader; kind: Kind; image: ArrayBuffer }> {
  const name = 'nifti-reader-js';
  const reader = await optionalPackage(
    name,
    () => import(name) as Promise<Nifti>,
    'a NIfTI volume',
    'save it as .npy: numpy.save("out.npy", nibabel.load("in.nii").get_fdata())',
  );
  let data = Uint8Array.from(bytes).buffer as ArrayBuffer;
  if (reader.isCompressed(data)) data = reader.decompress(data);
  const nifti = reader.readHeader(data);
  if (!nifti) throw new Error('its header is damaged');
  const [axes = 0, width = 1, height = 1, ...rest] = nifti.dims;
  const pages = rest.slice(0, Math.max(0, axes - 2)).reduce((product, length) => product * Math.max(1, length), 1);
  const kind = KINDS[nifti.datatypeCode];
  if (!kind) throw new Error(`its values are of NIfTI type ${nifti.datatypeCode}`);
  const image = reader.readImage(nifti, data);
  if (image.byteLength < width * height * pages * kind.bytes) throw new Error('its values end too early');
  const header: StoredHeader = {
    ...{ width, height, pages },
    ...{ channels: 1, colour: 'grey', alpha: false, orientation: 1, profile: false, sequential: false },
    sample: scaled(nifti) ? 'float32' : kind.sample,
  };
  return { header, nifti, kind, image };
}
