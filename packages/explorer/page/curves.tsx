import type { CurvePoint } from '../../../src/entries/explorer/types.js';
import { Lines } from './charts.js';
import { CLASSES } from './colours.js';

const TERMS = [
  ['loss', 'Loss'],
  ['reconstruction', 'Reconstruction'],
  ['kl', 'KL divergence'],
] as const;

export function Curves({ points }: { points: readonly CurvePoint[] }) {
  return (
    <div class="charts">
      {TERMS.map(([term, title]) => (
        <Lines
          key={term}
          title={title}
          unit="nats per row"
          x="epoch"
          lines={[
            {
              name: 'training',
              colour: CLASSES[0]!,
              points: points.map(({ epoch, train }) => [epoch, train[term]] as const),
            },
            ...(points.some(({ validation }) => validation)
              ? [
                  {
                    name: 'validation',
                    colour: CLASSES[6]!,
                    dashed: true,
                    points: points.flatMap(({ epoch, validation }) =>
                      validation ? [[epoch, validation[term]] as const] : [],
                    ),
                  },
                ]
              : []),
          ]}
        />
      ))}
    </div>
  );
}
