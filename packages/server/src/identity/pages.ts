import { hash } from 'node:crypto';
import type { AuthorityAnswer } from './authority.ts';
import type { OAuthError } from './oauth-error.ts';

/**
 * The pages of the authority: to sign in, to enter a device's code, and what is said afterwards. They need no script; the
 * one that there is presses a button. Nothing is loaded from anywhere, and each page says where its forms may go.
 */
const style = `
:root { color-scheme: light dark; --ink: #1c2433; --paper: #f4f6fa; --card: #fff; --line: #b6c0d1; --blue: #1d4ed8; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf2; --paper: #11151d; --card: #1a202c; --line: #4a556b; --blue: #7ea6ff; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 2rem; }
h1 { margin: 0 0 .25rem; font-size: 1.4rem; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
label { display: block; margin-bottom: 1rem; font-weight: 600; }
input { display: block; width: 100%; margin-top: .25rem; padding: .6rem .7rem; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); color: inherit; font: inherit; }
button { padding: .6rem 1.2rem; border: 1px solid var(--blue); border-radius: 8px; background: var(--blue); color: var(--card); font: inherit; font-weight: 600; cursor: pointer; }
button.second { background: none; color: var(--blue); }
:focus-visible { outline: 3px solid var(--blue); outline-offset: 2px; }
[role=alert] { color: var(--bad); font-weight: 600; }
`;

const pressButton = 'document.forms[0].submit();';

export interface SignInPage {
  readonly clientName: string;
  readonly hidden: readonly (readonly [string, string])[];
  readonly userName: string;
  /** Where the browser is sent afterwards: a page may not do that without saying so. */
  readonly returnsTo: string;
  readonly problem: string | undefined;
  readonly cookie: string;
}

export function signInPage({ clientName, hidden, userName, returnsTo, problem, cookie }: SignInPage): AuthorityAnswer {
  const body = `<h1>Sign in</h1>
<p>to go on to <strong>${escapeHtml(clientName)}</strong></p>
${alert(problem)}<form method="post" autocomplete="on">
${hiddenFields(hidden)}
${credentialFields(userName)}
<button type="submit" name="decision" value="sign-in">Sign in</button>
<button type="submit" name="decision" value="cancel" class="second" formnovalidate>Cancel</button>
</form>`;
  return page(problem === undefined ? 200 : 400, 'Sign in', body, {
    formAction: `'self' ${formSource(returnsTo)}`,
    cookie,
  });
}

export interface DevicePage {
  readonly userCode: string;
  readonly token: string;
  readonly userName: string;
  readonly problem: string | undefined;
  readonly cookie: string;
}

export function devicePage({ userCode, token, userName, problem, cookie }: DevicePage): AuthorityAnswer {
  const body = `<h1>Sign in a device</h1>
<p>Enter the code that the device shows. Do so only if you have started that sign-in yourself: whoever gave you the code will act in your name.</p>
${alert(problem)}<form method="post" autocomplete="on">
${hiddenFields([['form_token', token]])}
<label>Code<input name="user_code" value="${escapeHtml(userCode)}" required autocapitalize="characters" autocomplete="off" spellcheck="false"></label>
${credentialFields(userName)}
<button type="submit" name="decision" value="sign-in">Sign in</button>
<button type="submit" name="decision" value="cancel" class="second">Refuse</button>
</form>`;
  return page(problem === undefined ? 200 : 400, 'Sign in a device', body, { formAction: `'self'`, cookie });
}

export function messagePage(title: string, text: string, status = 200): AuthorityAnswer {
  return page(status, title, `<h1>${escapeHtml(title)}</h1>\n<p>${escapeHtml(text)}</p>`, { formAction: `'none'` });
}

export function refusalPage({ number, message, status }: OAuthError): AuthorityAnswer {
  return messagePage('Sign-in is not possible', `AADSTS${number}: ${message}`, status);
}

/** *OAuth 2.0 Form Post Response Mode*: a form that sends itself; without script somebody presses its button. */
export function formPostPage(action: string, fields: Readonly<Record<string, string>>): AuthorityAnswer {
  const body = `<h1>Signed in</h1>
<form method="post" action="${escapeHtml(action)}">
${hiddenFields(Object.entries(fields))}
<p>If nothing happens, go on yourself.</p>
<button type="submit">Go on</button>
</form>
<script>${pressButton}</script>`;
  return page(200, 'Signed in', body, { formAction: formSource(action), script: pressButton });
}

function credentialFields(userName: string): string {
  return `<label>User name<input name="username" type="text" value="${escapeHtml(userName)}" required autocomplete="username" autocapitalize="none" spellcheck="false"></label>
<label>Password<input name="password" type="password" required autocomplete="current-password"></label>`;
}

function hiddenFields(fields: readonly (readonly [string, string])[]): string {
  return fields
    .map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`)
    .join('\n');
}

function alert(problem: string | undefined): string {
  return problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>\n`;
}

/** *CSP: a host in brackets is no source, so for those the scheme stands.* */
function formSource(uri: string): string {
  const { origin, protocol, hostname } = new URL(uri);
  return hostname.startsWith('[') ? protocol : origin;
}

interface PageOptions {
  readonly formAction: string;
  readonly script?: string;
  readonly cookie?: string;
}

function page(
  status: number,
  title: string,
  body: string,
  { formAction, script, cookie }: PageOptions,
): AuthorityAnswer {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${hash('sha256', style, 'base64')}'`,
    ...(script === undefined ? [] : [`script-src 'sha256-${hash('sha256', script, 'base64')}'`]),
    'img-src data:',
    "base-uri 'none'",
    `form-action ${formAction}`,
    "frame-ancestors 'none'",
  ].join('; ');
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'cache-control': 'no-store',
      // With none at all a browser would send no origin with the form, and the guard refuses that.
      'referrer-policy': 'same-origin',
      'x-frame-options': 'DENY',
      ...(cookie === undefined ? {} : { 'set-cookie': cookie }),
    },
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)} · Lazuli</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`,
  };
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
