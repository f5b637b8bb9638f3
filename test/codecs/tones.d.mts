export function wavOfTones(frames: number): Buffer;
