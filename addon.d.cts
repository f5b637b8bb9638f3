/** Inside use: see addon.cjs. */
export declare function loadAddon(): unknown;
export declare function findRuntime(): string;
export declare function entryOfRuntime(): string;
export declare const models: string;
export declare function modelFolders(): string[];
export declare const root: string;
export declare function loadZod(): unknown;
export declare function loadProtobuf(): unknown;
