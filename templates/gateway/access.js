// {{header}}
//
// What maps cannot do for the rules of `access`: filter the catalog, judge the source of a mount, and find out
// whether content belongs to an immutable tag. nginx's JavaScript module (njs) runs it.

// In the order of `access`; the last one matches every repository. Names stand between commas, groups with a prefix; * is
// anyone, @ every user.
const RULES = [
{{#each scriptRules}}
    { repositories: {{{repositories}}}, pull: {{{pull}}}, immutable: {{{immutable}}} },
{{/each}}
];

function ruleOf(repository) {
    return RULES.find((rule) => rule.repositories.some((pattern) => new RegExp(pattern).test(repository)));
}

// identity: "", "ui", "operator", or names between commas: the user's, and behind it those of groups.
function grants(identity, granted) {
    if (granted === '*' || identity === 'ui' || identity === 'operator') {
        return true;
    }
{{#if mirrored}}
    if (identity === 'mirror') {
        return false;
    }
{{/if}}
    if (granted === '@' || identity[0] !== ',') {
        return identity[0] === ',';
    }
    return identity.split(',').some((name, i) => name !== '' && granted.indexOf(i === 1 ? `,${name},` : `,group:${name},`) >= 0);
}

// Whether a user may pull a repository. The globs of all rules become few expressions, made once for any number of names:
// the first alternative that matches decides, with the whole name where its rule grants, and else with none of it.
function puller(identity) {
    // njs before 0.8 has the bytes of a value from nginx, and compares them with no character that takes two.
    const names = Buffer.from(identity).toString();
    const alternatives = [];
    RULES.forEach((rule) => {
        const opening = grants(names, rule.pull) ? '(?:' : '(?=';
        rule.repositories.forEach((pattern) => alternatives.push(`${opening}${pattern})`));
    });
    const expressions = [];
    // PCRE takes no more than 64 kB in one.
    for (let i = 0; i < alternatives.length; i += 50) {
        expressions.push(new RegExp(alternatives.slice(i, i + 50).join('|')));
    }
    return (repository) => {
        // Longer than any name, or made so that an expression takes too long: no repository has it.
        try {
            for (let i = 0; i < expressions.length && repository.length < 256; i++) {
                const found = expressions[i].exec(repository);
                if (found !== null) {
                    return found[0] !== '';
                }
            }
        } catch (error) {
            return false;
        }
        return false;
    };
}

function decoded(text) {
    try {
        return decodeURIComponent(text.replace(/\+/g, ' '));
    } catch (error) {
        return undefined;
    }
}

// The parameters of a query as the registry reads them; undefined where it is not clear how it does.
function parameters(query) {
    const found = {};
    const pairs = query.split('&');
    for (let i = 0; i < pairs.length; i++) {
        const at = pairs[i].indexOf('=');
        const key = decoded(at < 0 ? pairs[i] : pairs[i].slice(0, at));
        const value = at < 0 ? '' : decoded(pairs[i].slice(at + 1));
        if (key === undefined || value === undefined || pairs[i].indexOf(';') >= 0 || found[key] !== undefined) {
            return undefined;
        }
        found[key] = value;
    }
    return found;
}

// The address of a new upload, without the source of a mount that the user may not pull.
function mountUri(r) {
    const uri = r.variables.request_uri;
    const at = uri.indexOf('?');
    if (at < 0) {
        return uri;
    }
    const query = parameters(uri.slice(at + 1));
    if (query === undefined) {
        return uri.slice(0, at);
    }
    const source = query.from;
    return source === undefined || puller(r.variables.identity)(source) ? uri : uri.slice(0, at);
}

{{#if anonymous}}
// "1" where a token is asked for to pull what anyone may pull, and for nothing else.
function publicScope(r) {
    const query = parameters(r.variables.args || '');
    const scope = query === undefined || query.scope === undefined ? '' : query.scope;
    const scopes = scope.split(' ');
    if (scope === '' || scopes.length > 4) {
        return '';
    }
    const mayPull = puller('');
    const isPublic = scopes.every((text) => {
        const parts = text.split(':');
        return parts.length === 3 && parts[0] === 'repository' && parts[2] === 'pull' && mayPull(parts[1]);
    });
    return isPublic ? '1' : '';
}

{{/if}}
function answer(r, status, body) {
    r.headersOut['Content-Type'] = 'application/json; charset=utf-8';
    r.return(status, body);
}

// The names of repositories that the user may pull, in pages as the registry has them.
async function catalog(r) {
    const wanted = r.args.n === undefined ? {{catalogPage}} : Number(r.args.n);
    const isPlain = wanted > 0 && wanted <= {{catalogMost}} && Math.floor(wanted) === wanted;
    const identity = r.headersIn['X-Identity'] || '';
    const mayPull = puller(identity);
    const names = [];
    let last = r.args.last === undefined ? '' : r.args.last;
    let more = true;
    while (more && names.length <= wanted) {
        const size = isPlain ? {{catalogMost}} : r.args.n;
        const args = `n=${encodeURIComponent(size)}&last=${encodeURIComponent(last)}`;
        const reply = await r.subrequest('/reader/v2/_catalog', { args: args, method: 'GET' });
        if (reply.status !== 200 || !isPlain) {
            return answer(r, reply.status, reply.status === 200 ? '{"repositories":[]}' : reply.responseText);
        }
        const page = JSON.parse(reply.responseText).repositories || [];
        page.filter(mayPull).forEach((name) => names.push(name));
        more = reply.headersOut.Link !== undefined && page.length > 0;
        last = page.length > 0 ? page[page.length - 1] : last;
    }
    const shown = names.slice(0, wanted);
    if (names.length > wanted) {
        const next = encodeURIComponent(shown[shown.length - 1]);
        r.headersOut.Link = `</v2/_catalog?last=${next}&n=${wanted}>; rel="next"`;
    }
    answer(r, 200, JSON.stringify({ repositories: shown }) + '\n');
}

// what: "tag" or "content".
function deny(r, what) {
    r.headersOut['X-Denied'] = what;
    r.return(403);
}

// Whether a manifest is one of those that tags name, or is listed by one of them. Each is read once, however they list each other.
async function belongsTo(r, repository, tags, digest) {
    const waiting = tags.slice();
    const seen = {};
    while (waiting.length > 0) {
        const reference = waiting.pop();
        const reply = await r.subrequest(`/registry/v2/${repository}/manifests/${reference}`, { method: 'GET' });
        if (reply.status === 404) {
            continue;
        }
        if (reply.status !== 200) {
            throw new Error(`${repository}: ${reply.status}`);
        }
        const own = reply.headersOut['Docker-Content-Digest'];
        const children = (JSON.parse(reply.responseText).manifests || []).map((child) => child.digest);
        if (own === digest || children.indexOf(digest) >= 0) {
            return true;
        }
        seen[own] = true;
        for (let i = 0; i < children.length; i++) {
            if (!/^sha256:[0-9a-f]{64}$/.test(children[i])) {
                throw new Error(`${repository}: ${reference} lists what has no digest`);
            }
            if (!seen[children[i]]) {
                seen[children[i]] = true;
                waiting.push(children[i]);
            }
        }
    }
    return false;
}

// A deletion in a repository with immutable tags. With a digest the registry removes all of its tags.
async function remove(r) {
    const parts = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(decodeURIComponent(r.variables.request_uri.split('?')[0]));
    const repository = parts[1];
    const reference = parts[3];
    const immutable = new RegExp(ruleOf(repository).immutable);
    if (parts[2] === 'blobs') {
        return deny(r, 'content');
    }
    if (reference.indexOf(':') < 0 && immutable.test(reference)) {
        return deny(r, 'tag');
    }
    if (reference.indexOf(':') >= 0) {
        const reply = await r.subrequest(`/registry/v2/${repository}/tags/list`, { method: 'GET' });
        if (reply.status !== 200 && reply.status !== 404) {
            throw new Error(`${repository}: ${reply.status}`);
        }
        const tags = reply.status === 200 ? JSON.parse(reply.responseText).tags || [] : [];
        if (await belongsTo(r, repository, tags.filter((tag) => immutable.test(tag)), reference)) {
            return deny(r, 'content');
        }
    }
    r.internalRedirect('@registry');
}

async function guard(r) {
    try {
        await (r.method === 'DELETE' ? remove(r) : catalog(r));
    } catch (error) {
        r.error(`access.js: ${error}`);
        answer(r, 503, '{"errors":[{"code":"UNAVAILABLE","message":"the registry does not answer, try again","detail":null}]}');
    }
}

export default { guard, mountUri{{#if anonymous}}, publicScope{{/if}} };
