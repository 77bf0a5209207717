// {{header}}
//
// Passes notifications of the registry to their receivers. nginx's JavaScript module (njs) runs it. The answer is that of
// the receiver: the registry keeps what was not taken, and sends it again.

import fs from 'fs';

const RECEIVERS = {
{{#each receivers}}
    {{{nameJson}}}: {
        url: {{{url}}},
        actions: {{{actions}}},
        // A repository matches one of these; without any, all do.
        repositories: {{{patterns}}},
        headers: {{headers}},
    },
{{/each}}
};

// Milliseconds; the registry waits a little longer.
const PATIENCE = {{patience}};

// The gateway writes the user in front of the client's own User-Agent.
const AGENT = /^hephaestus-user=(\S+)(?: via hephaestus-ui\S*)? ?(.*)$/;

function headersOf(name) {
    const headers = { 'Content-Type': 'application/vnd.docker.distribution.events.v1+json' };
    if (!RECEIVERS[name].headers) {
        return headers;
    }
    const given = JSON.parse(fs.readFileSync('{{headersPath}}', 'utf8'))[name] || {};
    return Object.assign(headers, given);
}

function isWanted(receiver, event) {
    if (receiver.actions.indexOf(event.action) < 0) {
        return false;
    }
    const repository = (event.target && event.target.repository) || '';
    return receiver.repositories.length === 0
        || receiver.repositories.some((pattern) => new RegExp(pattern).test(repository));
}

// The actor is the gateway's account.
function withUser(event) {
    const agent = AGENT.exec((event.request && event.request.useragent) || '');
    if (agent !== null) {
        event.actor = agent[1] === '-' ? {} : { name: agent[1] };
        event.request.useragent = agent[2];
    }
    return event;
}

function passed(url, options) {
    const late = new Promise((resolve, reject) => setTimeout(() => reject(new Error('does not answer')), PATIENCE));
    return Promise.race([ngx.fetch(url, options), late]);
}

async function pass(r) {
    const name = r.variables.receiver;
    const receiver = RECEIVERS[name];
    try {
        const events = JSON.parse(r.requestText).events.filter((event) => isWanted(receiver, event)).map(withUser);
        if (events.length === 0) {
            r.return(204);
            return;
        }
        const body = JSON.stringify({ events: events });
        const answer = await passed(receiver.url, { method: 'POST', headers: headersOf(name), body: body });
        r.return(answer.status);
    } catch (error) {
        r.error(`receiver ${name}: ${error.message}`);
        r.return(502);
    }
}

export default { pass };
