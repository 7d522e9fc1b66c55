/** The version of this server; one version for all packages. */
export const version = '0.1.0';
