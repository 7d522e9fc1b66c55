import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createWelcomePage, type WelcomeFacts } from './welcome-page.ts';

const facts: WelcomeFacts = { version: '1.2.3', url: 'http://127.0.0.1:5000/ml', auth: 'none', dataDir: '/srv/lazuli' };

describe('the welcome page', () => {
  test('shows where the server listens, lines to paste, and where data lie', () => {
    const { html } = createWelcomePage(facts);
    expect(html).toContain('<code>http://127.0.0.1:5000/ml</code>');
    expect(html).toContain('mlflow.set_tracking_uri(&quot;http://127.0.0.1:5000/ml&quot;)');
    expect(html).toContain('curl &quot;http://127.0.0.1:5000/ml/api/2.0/mlflow/');
    expect(html).toContain('/srv/lazuli');
    expect(html).toContain('href="http://127.0.0.1:5000/ml/health"');
  });

  test('keeps to itself where data lie when strangers can see it', () => {
    const { html } = createWelcomePage({ ...facts, auth: 'token' });
    expect(html).not.toContain('/srv/lazuli');
    expect(html).toContain('Authorization: Bearer');
    expect(html).toContain('export MLFLOW_TRACKING_TOKEN=');
  });

  test('shows what is odd as text', () => {
    const { html } = createWelcomePage({ ...facts, dataDir: `/srv/<img src=x onerror=alert(1)>"'&` });
    expect(html).toContain('/srv/&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;');
    expect(html).not.toContain('<img');
  });

  test('allows itself its own style and script and nothing else', () => {
    const { html, headers } = createWelcomePage(facts);
    const policy = headers['content-security-policy'] ?? '';
    for (const [element, directive] of [
      ['style', 'style-src'],
      ['script', 'script-src'],
    ] as const) {
      const [, content = '', ...others] = html.split(new RegExp(`</?${element}>`)).slice(0, 2);
      expect(others).toEqual([]);
      expect(policy).toContain(`${directive} 'sha256-${hash('sha256', content, 'base64')}'`);
    }
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toContain('unsafe');
    expect(html).not.toMatch(/\s(on\w+|style)=/);
    expect([...html.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s]+)/g)].map(([, target]) => target)).toEqual([
      'data:,',
      'http://127.0.0.1:5000/ml/health',
      'http://127.0.0.1:5000/ml/version',
    ]);
  });
});
