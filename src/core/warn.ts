/** Warnings: what a user should know although nothing failed. They are Node's own, so that its flags and listeners apply. */
export function warn(message: string, code: `WARN_VAE_${string}`): void {
  process.emitWarning(message, { type: 'VaeWarning', code });
}
