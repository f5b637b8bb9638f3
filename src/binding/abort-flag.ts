/** Set from JavaScript, polled by running work; also terminates a running ONNX Runtime call. */
export interface NativeAbortFlag {
  abort(): void;
  readonly aborted: boolean;
}
