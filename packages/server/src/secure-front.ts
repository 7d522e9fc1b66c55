import type { Logger } from 'pino';
import type { ListenerCredentials, TlsListener } from './http/tls-listener.ts';
import type { SecretKeep } from './secrets/secret-keep.ts';
import type { Settings } from './settings/parse-settings.ts';
import { openCertificates } from './tls/certificates.ts';

/** The way in by HTTPS, with a certificate that is renewed in time and put in place of the old one without a restart. */
export interface SecureFront {
  readonly port: number;
  /** What clients have to trust, in PEM, where the server made its certificate by itself. */
  readonly authority: string | undefined;
  /** Renews nothing any more; the listener closes with its server. */
  readonly stop: () => void;
}

export interface SecureFrontOptions {
  readonly listenerFor: (credentials: ListenerCredentials) => TlsListener;
  readonly secrets: SecretKeep;
  /** The regions of workspaces behind a private link, whose names the certificate has to have. */
  readonly regions: () => Promise<string[]>;
  readonly now: () => number;
  readonly logger: Logger;
}

const refreshEveryMs = 60_000;

/** Certificates are made here and not before: a server that nobody connects to needs none. */
export async function listenWithTls(settings: Settings, options: SecureFrontOptions): Promise<SecureFront> {
  const { listenerFor, secrets, regions, now, logger } = options;
  const certificates = await openCertificates(settings, { keep: secrets, now, regions });
  const renew = async (): Promise<boolean> => {
    const isNew = await certificates.refresh();
    if (isNew) listener.use(certificates.current);
    return isNew;
  };
  const listener = listenerFor({
    current: certificates.current,
    forName: async (name) => (certificates.isNewName(name) && (await renew()) ? certificates.current : undefined),
  });
  await listener.listen(settings.host, settings.tlsPort);
  const timer = setInterval(() => {
    renew().then(
      (isNew) => {
        if (isNew) logger.info('the TLS certificate was renewed');
      },
      (error: unknown) => logger.error({ err: error }, 'the TLS certificate could not be renewed; the old one stays'),
    );
  }, refreshEveryMs).unref();
  return {
    get port() {
      return listener.port;
    },
    get authority() {
      return certificates.authority;
    },
    stop: () => clearInterval(timer),
  };
}
