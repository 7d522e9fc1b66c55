import { setTimeout as pause } from 'node:timers/promises';
import {
  AuthorityRefusal,
  postForm,
  refusal,
  requestToken,
  secureUrl,
  type Authority,
  type TokenAnswer,
} from './authority.ts';
import { rejected, SignInError } from './credential.ts';
import type { SignInContext } from './sign-in-context.ts';
import { userScope } from './user-session.ts';

/** What a person is told: where to go with any browser, and which code to type there. */
export interface DeviceCodePrompt {
  readonly userCode: string;
  readonly verificationUri: string;
  readonly message: string;
}

export interface DeviceCodeFlow {
  readonly authority: Authority;
  readonly clientId: string;
  /** Default: prints the message on standard error. */
  readonly prompt?: ((prompt: DeviceCodePrompt) => void) | undefined;
}

/** Signs a person in on another device (*RFC 8628*). */
export function signInByDeviceCode(flow: DeviceCodeFlow, context: SignInContext) {
  const { authority, clientId, prompt = ({ message }) => process.stderr.write(`${message}\n`) } = flow;
  return async (scope: string, signal: AbortSignal): Promise<TokenAnswer> => {
    const { deviceCode: url } = await authority.endpoints(signal);
    if (url === undefined) throw rejected(`${authority.name} has no device codes.`);
    const { status, body } = await postForm(url, { client_id: clientId, scope: userScope(scope) }, context, signal);
    const code = body['device_code'];
    const userCode = body['user_code'];
    const verificationUri = body['verification_uri'];
    if (
      status !== 200 ||
      typeof code !== 'string' ||
      typeof userCode !== 'string' ||
      typeof verificationUri !== 'string'
    )
      throw refusal(url, { status, body }, context);
    context.log.hide(code);
    const told = body['message'];
    prompt({
      userCode,
      verificationUri: secureUrl(verificationUri),
      message:
        typeof told === 'string'
          ? told
          : `To sign in, open ${verificationUri} in a browser and enter the code ${userCode}.`,
    });

    const fields = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: clientId,
      device_code: code,
    };
    const until = Date.now() + Number(body['expires_in'] ?? 900) * 1000;
    let interval = Number(body['interval'] ?? 5) * 1000;
    while (Date.now() < until) {
      await pause(interval, undefined, { signal });
      try {
        return await requestToken(authority, fields, context, signal);
      } catch (error) {
        if (!(error instanceof AuthorityRefusal)) throw error;
        if (error.oauthError === 'slow_down') interval += 5000;
        else if (error.oauthError !== 'authorization_pending') throw error;
      }
    }
    throw new SignInError('timed out', `Nobody entered the code ${userCode} in time.`);
  };
}
