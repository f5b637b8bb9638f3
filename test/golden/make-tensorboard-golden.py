"""Event files as TensorBoard's own writer makes them, and what its own reader finds in them.

pip install tensorboard==2.21.0 && python test/golden/make-tensorboard-golden.py test/golden/tensorboard
"""

import json
import os
import sys
import tempfile

# Beside this script lies a folder of the name tensorflow, which is no module.
sys.path.pop(0)

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def version(time):
    return event_pb2.Event(wall_time=time, file_version='brain.Event:2')


def restart(time, step):
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    return event_pb2.Event(wall_time=time, step=step, session_log=start)


def summary(time, step, scalars, histograms=()):
    values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars]
    for tag, numbers in histograms:
        low, high = min(numbers), max(numbers)
        width = (high - low) / 30 or 1
        buckets = [0.0] * 30
        for value in numbers:
            buckets[min(29, int((value - low) / width))] += 1
        histogram = summary_pb2.HistogramProto(
            min=low,
            max=high,
            num=len(numbers),
            sum=sum(numbers),
            sum_squares=sum(value * value for value in numbers),
            bucket_limit=[low + (index + 1) * width for index in range(30)],
            bucket=buckets,
        )
        values.append(summary_pb2.Summary.Value(tag=tag, histo=histogram))
    return event_pb2.Event(wall_time=time, step=step, summary=summary_pb2.Summary(value=values))


# A run, and one that goes on from step 8 of it: what the first says from there on does not count.
FILES = {
    'events.out.tfevents.1700000000.a': [
        version(1700000000.5),
        summary(1700000001.25, 4, [('train/loss', 1.25), ('train/kl', -3.5)], [('latents/kl', [0.5, 2.25, 0.75])]),
        summary(1700000002.5, 8, [('train/loss', 0.1)]),
        summary(1700000003.0, 300, [('train/loss', 7.0)], [('latents/kl', [9.0, 9.0])]),
    ],
    'events.out.tfevents.1700000100.b': [
        version(1700000100.0),
        restart(1700000100.0, 8),
        summary(1700000101.0, 8, [('train/loss', 0.3), ('train/kl', 2.5e-8)], [('latents/kl', [1.5, 1.5, 1.5, -4.0])]),
        summary(1700000102.0, 1000000, [('train/loss', -0.0625)]),
    ],
}

out = sys.argv[1]
with tempfile.TemporaryDirectory() as folder:
    files = {}
    for name, events in FILES.items():
        path = os.path.join(folder, name)
        with open(path, 'wb') as file:
            writer = RecordWriter(file)
            for event in events:
                writer.write(event.SerializeToString())
        with open(path, 'rb') as file:
            files[name] = file.read().hex()
    read = EventAccumulator(folder, size_guidance={'scalars': 0, 'histograms': 0, 'tensors': 0})
    read.Reload()
    scalars = {tag: [[e.step, e.value] for e in read.Scalars(tag)] for tag in read.Tags()['scalars']}
    histograms = {
        tag: [[e.step, e.histogram_value.num, e.histogram_value.sum, sum(e.histogram_value.bucket)] for e in read.Histograms(tag)]
        for tag in read.Tags()['histograms']
    }
with open(os.path.join(out, 'events.json'), 'w') as file:
    json.dump({'files': files, 'scalars': scalars, 'histograms': histograms}, file, indent=2)
    file.write('\n')
