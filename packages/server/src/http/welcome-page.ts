import { hash } from 'node:crypto';
import { pasteLines } from '../settings/paste-lines.ts';

/**
 * What a person sees who opens the server in a browser: where it listens, and lines to paste. One document without any
 * outside resource, so that its content security policy can refuse everything but its own style and script.
 */
export interface WelcomeFacts {
  readonly version: string;
  /** The URL at which clients reach the server, with the static prefix, without a slash at its end. */
  readonly url: string;
  readonly auth: 'none' | 'token' | 'entra';
  readonly dataDir: string;
}

export interface WelcomePage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function createWelcomePage(facts: WelcomeFacts): WelcomePage {
  return {
    html: pageHtml(facts),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'content-security-policy': contentSecurityPolicy,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
    },
  };
}

const style = `
:root { color-scheme: light dark; --ink: #14213d; --soft: #51607d; --paper: #f6f8fc; --card: #fff; --line: #d5dded;
  --accent: #1d4ed8; --code: #eef2fb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf8; --soft: #a3b1cd; --paper: #0d1424; --card: #151f36;
  --line: #2b3a5c; --accent: #8ab4ff; --code: #0f182c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 3.5rem) 1.25rem; }
h1 { display: flex; align-items: center; gap: .75rem; margin: 0; font-size: 2rem; line-height: 1.2; letter-spacing: -.02em; }
h1 svg { flex: none; width: 2.25rem; height: 2.25rem; }
h2 { margin: 0; font-size: 1rem; }
p { margin: .75rem 0 0; }
.lead { color: var(--soft); font-size: 1.0625rem; }
section { margin-top: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; overflow: hidden; }
.bar { display: flex; align-items: center; justify-content: space-between; gap: 1rem; min-height: 3rem; padding: .5rem .5rem .5rem 1rem; }
pre, code { font: .875rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: 0; padding: .875rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--code);
  border-top: 1px solid var(--line); }
p code { overflow-wrap: anywhere; color: var(--ink); }
.command { white-space: nowrap; }
button { min-width: 5.5rem; min-height: 2.25rem; padding: .25rem .75rem; border: 1px solid var(--line); border-radius: .5rem;
  background: transparent; color: var(--accent); font: inherit; font-size: .875rem; cursor: pointer; }
button:hover { border-color: var(--accent); }
@media (pointer: coarse) { button { min-height: 2.75rem; } }
.spoken { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
footer { display: flex; flex-wrap: wrap; align-items: center; gap: 0 1.25rem; margin-top: 1.25rem; color: var(--soft);
  font-size: .875rem; }
footer a { padding: .625rem 0; }
`;

/**
 * A browser gives a page a clipboard only on HTTPS and on this machine's own addresses. Elsewhere, and where the person
 * refuses it, the lines are selected and the older way of copying is tried; what is selected is one key press from copied.
 */
const script = `
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return document.execCommand('copy');
  }
}
for (const section of document.querySelectorAll('section')) {
  const name = section.querySelector('h2').textContent;
  const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Copy' });
  button.setAttribute('aria-label', 'Copy: ' + name);
  let reset;
  button.addEventListener('click', async () => {
    const outcome = await copy(section.querySelector('code')) ? 'Copied' : 'Selected';
    button.textContent = outcome;
    document.querySelector('[role=status]').textContent = outcome + ': ' + name;
    clearTimeout(reset);
    reset = setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
  section.querySelector('.bar').append(button);
}
`;

const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${hash('sha256', style, 'base64')}'`,
  `script-src 'sha256-${hash('sha256', script, 'base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ');

const mark = `<svg viewBox="0 0 32 32" aria-hidden="true"><path fill="#1d4ed8" d="M16 1 29 9v14l-13 8L3 23V9z"/><path fill="#6ea0ff" d="M16 1 29 9l-13 8L3 9z"/><path fill="#f4c95d" d="m12 22 3-1 1-3 1 3 3 1-3 1-1 3-1-3z"/></svg>`;

function pageHtml({ version, url, auth, dataDir }: WelcomeFacts): string {
  const place =
    auth === 'none'
      ? `<p>Everything that is logged lies in <code>${escapeHtml(dataDir)}</code></p>`
      : '<p>Calls need an API token: whoever runs this server can make one with <code class="command">lazuli token create</code>.</p>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Lazuli</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>${mark}Lazuli</h1>
<p class="lead">A tracking server for MLflow clients.</p>
${place}
${[{ title: 'Tracking URI', text: url }, ...pasteLines({ url, auth })].map(({ title, text }) => pasteSection(title, text)).join('\n')}
<p role="status" class="spoken"></p>
<footer><a href="${escapeHtml(url)}/health">Health</a><a href="${escapeHtml(url)}/version">Version</a>Lazuli ${escapeHtml(version)}</footer>
</main>
<script>${script}</script>
</body>
</html>
`;
}

function pasteSection(title: string, text: string): string {
  const id = `paste-${title.toLowerCase().replaceAll(' ', '-')}`;
  return `<section aria-labelledby="${id}"><div class="bar"><h2 id="${id}">${escapeHtml(title)}</h2></div><pre><code>${escapeHtml(text)}</code></pre></section>`;
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
