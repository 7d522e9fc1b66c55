/**
 * A browser without a screen: follows redirects, keeps cookies, fills in the forms that it meets and submits them, until a
 * page has none.
 */
export async function walkForms(start: string, answers: Readonly<Record<string, string>> = {}): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  let fields: URLSearchParams | undefined;
  for (let step = 0; step < 20; step++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(fields === undefined ? {} : { method: 'POST', body: fields }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    fields = undefined;
    const next = response.headers.get('location');
    const page = await response.text();
    if (next !== null) {
      url = new URL(next, url).href;
      continue;
    }
    const form = /<form[\s\S]*?<\/form>/.exec(page)?.[0];
    if (form === undefined) return page;
    url = new URL(/action="([^"]*)"/.exec(form)?.[1] ?? '', url).href;
    fields = new URLSearchParams();
    for (const [input] of form.matchAll(/<input[^>]*>/g)) {
      const name = /name="([^"]*)"/.exec(input)?.[1];
      if (name !== undefined) fields.set(name, answers[name] ?? /value="([^"]*)"/.exec(input)?.[1] ?? 'ada');
    }
  }
  throw new Error(`The forms from ${start} on do not end.`);
}
