"""Files of tables and arrays with what pandas, numpy and scipy read from them.

pip install 'pandas<3' pyarrow scipy h5py; python test/golden/make-tables-golden.py
"""
import io, json, math, os
import h5py, numpy as np, pandas as pd, scipy.io

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'tables')
os.makedirs(HERE, exist_ok=True)
rng = np.random.default_rng(7)
expected = {'csv': {}, 'tables': {}, 'arrays': {}}


def cell(value):
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return None
    if isinstance(value, (np.integer, int)) and not isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, (np.floating, float)):
        return float(value)
    if isinstance(value, pd.Timestamp):
        return value.isoformat(sep=' ') if value != value.normalize() else value.date().isoformat()
    return str(value)


def rows_of(frame):
    return [{str(name): cell(value) for name, value in row.items()} for row in frame.to_dict('records')]


# Delimited text: what pandas reads, with the options that a person would have to find out.
CSV = {
    'plain': ('a,b,c\n1,2.5,x\n-3,4e2,y\n5,.5,x\n', {}),
    'quotes': ('a,b\n"1","x ""y"" z"\n2,"p,q"\n3,"two\nlines"\n', {}),
    'quote inside': ('size\tn\n5" pipe\t1\n3" pipe\t2\nplain\t3\n', {'sep': '\t'}),
    'quote then text': ('a,b\n"x"y,1\n"p""q"r,2\nz,3\n', {}),
    'crlf and blank lines': ('a,b\r\n1,x\r\n\r\n2,y\r\n3,x\r\n', {}),
    'cr': ('a,b\r1,2\r3,4\r', {}),
    'missing marks': ('a,b\n1,1\n#N/A,2\n<NA>,3\nN/A,4\nnull,5\nNaN,6\n-nan,7\n1.#QNAN,8\n,9\n2,10\n3,11\n', {}),
    'semicolons, decimal commas': ('t;p\n20,5;1000,25\n-1,75;3,0\n0,0;1e2\n', {'sep': ';', 'decimal': ','}),
    'decimal commas, thousands': ('t;p\n1.234,5;10.000\n2.345.678,25;20.500\n0,5;1.000\n', {'sep': ';', 'decimal': ',', 'thousands': '.'}),
    'thousands': ('a,b\n"1,234.50",1\n"12,345,678.25",2\n"9.75",3\n', {'thousands': ','}),
    'pipes': ('a|b\n1|x\n2|y\n', {'sep': '|'}),
    'white space': ('  a   b\n 1.5   2\n-3.25\t4\n  1e-3 5 \n', {'sep': r'\s+'}),
    'digits': ('x\n0.1\n0.30000000000000004\n123456789012345678\n1.7976931348623157e308\n5e-324\n2.2250738585072014e-308\n9007199254740993\n-0.000000123456789012345\n', {}),
    'tiny': ('x,y\n1e-15,1.6e-19\n2e-15,3.2e-19\n3.5e-15,4.8e-19\n', {}),
    'nanoseconds': ('t,y\n1700000000000000000,1\n1700000000000001024,2\n1700000000000004096,3\n', {}),
    'single column': ('x\n1\n2\n3\n', {}),
    'spaces in names and texts': ('first name,value\nNew York,1\nSan José,2\n東京,3\n', {}),
    'trailing delimiter': ('a,b,\n1,2,\n3,4,\n', {'usecols': [0, 1]}),
    'comments above': ('# made by hand\n# twice\na,b\n1,2\n3,4\n', {'comment': '#'}),
    'title above': ('Quarterly report\na,b,c\n1,2,3\n4,5,6\n7,8,9\n', {'skiprows': 1}),
    'sep line': ('sep=;\na;b\n1;2\n3;4\n', {'skiprows': 1, 'sep': ';'}),
    'booleans': ('f,x\nTrue,1\nFalse,2\nTrue,3\n', {'dtype': {'f': str}}),
    'signs': ('x\n+1\n-2\n+3.5\n-.5\n4.\n', {}),
}
for name, (text, options) in CSV.items():
    expected['csv'][name] = {'text': text, 'rows': rows_of(pd.read_csv(io.StringIO(text), float_precision='round_trip', **options))}

# Tables of numbers at random, with every digit that float64 has.
values = rng.normal(size=(40, 3)) * 10.0 ** rng.integers(-30, 30, size=(40, 3))
text = pd.DataFrame(values, columns=['a', 'b', 'c']).to_csv(index=False)
expected['csv']['random'] = {'text': text, 'rows': rows_of(pd.read_csv(io.StringIO(text), float_precision='round_trip'))}

frame = pd.DataFrame({
    'whole': np.array([1, 2, 3, 4], 'int64'),
    'small': np.array([1, -2, 3, -4], 'int8'),
    'real': [0.5, None, 2.25, -1e-9],
    'single': np.array([0.1, 0.2, 0.3, 0.4], 'float32'),
    'city': ['Bern', 'Oslo', None, 'São Paulo'],
    'flag': [True, False, True, True],
    'day': pd.to_datetime(['2024-01-05', '2024-02-29', '2023-12-31', '2024-03-01']),
    'when': pd.to_datetime(['2024-01-05 10:30:00', '2024-02-29 00:00:01', '2023-12-31 23:59:59', '2024-03-01 12:00:00']),
    'kind': pd.Categorical(['a', 'b', 'a', 'b']),
    'vector': [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.5]],
})
for compression in ['snappy', 'gzip', 'zstd', 'brotli', 'lz4', 'none']:
    frame.to_parquet(os.path.join(HERE, f'{compression}.parquet'), compression=None if compression == 'none' else compression)
frame.set_index('whole').to_parquet(os.path.join(HERE, 'indexed.parquet'))
frame.to_parquet(os.path.join(HERE, 'groups.parquet'), row_group_size=3)
for compression in ['lz4', 'zstd', 'uncompressed']:
    frame.to_feather(os.path.join(HERE, f'{compression}.feather'), compression=compression)
wide = frame.drop(columns='vector')
wide['vector[0]'] = [v[0] for v in frame['vector']]
wide['vector[1]'] = [v[1] for v in frame['vector']]
wide['flag'] = wide['flag'].map({True: 'true', False: 'false'})
expected['tables'] = rows_of(wide)

cube = np.arange(24, dtype='float32').reshape(2, 3, 4)
np.savez(os.path.join(HERE, 'one.npz'), cube)
np.savez_compressed(os.path.join(HERE, 'mnist-like.npz'), x_train=cube, y_train=np.array([1, 0]), x_test=cube[:1] + 1, y_test=np.array([1]))
np.savez(os.path.join(HERE, 'unclear.npz'), left=cube, right=cube)
scipy.io.savemat(os.path.join(HERE, 'five.mat'), {'data': cube.astype('float64'), 'labels': np.array([[1.0], [0.0]]), 'title': 'text', 'info': {'a': 1}})
scipy.io.savemat(os.path.join(HERE, 'compressed.mat'), {'X': np.asfortranarray(cube.astype('int16'))}, do_compression=True)
with h5py.File(os.path.join(HERE, 'seven-three.mat'), 'w', userblock_size=512) as file:
    file['X'] = cube.transpose(2, 1, 0).astype('float64')
expected['arrays'] = {'shape': list(cube.shape), 'values': cube.ravel().tolist()}

with open(os.path.join(HERE, 'expected.json'), 'w', encoding='utf-8') as out:
    json.dump(expected, out, indent=1, ensure_ascii=False)
    out.write('\n')
