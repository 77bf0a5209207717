// {{header}}
//
// Counts the requests of the gateway, and lists the tasks of the stack for Prometheus. nginx's JavaScript module (njs) runs it.

const SERVICES = [{{{services}}}];
const PORT = {{port}};

// Upper ends in seconds.
const BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120];

const ADDRESS = /[0-9]+(?:\.[0-9]+){3}/g;

// The addresses of the tasks that a location asks, one after the other.
async function tasksAt(r, location) {
    const reply = await r.subrequest(location, { method: 'GET' });
    return (reply.variables.upstream_addr || '').match(ADDRESS) || [];
}

async function guarded(r, answer) {
    try {
        await answer();
    } catch (error) {
        r.error(`metrics.js: ${error}`);
        r.return(503);
    }
}

// In the service registry-metrics.

function list(r) {
    return guarded(r, async () => {
        const found = await Promise.all(SERVICES.map((service) => tasksAt(r, `/tasks/${service}`)));
        const groups = [];
        SERVICES.forEach((service, i) => {
            found[i].sort().forEach((address) => {
                groups.push({
                    targets: [r.headersIn.Host],
                    labels: { __metrics_path__: `/${service}/${address}`, instance: `${address}:${PORT}`, service: service },
                });
            });
        });
        r.headersOut['Content-Type'] = 'application/json';
        r.return(200, JSON.stringify(groups) + '\n');
    });
}

function pass(r) {
    return guarded(r, async () => {
        const address = r.variables.task;
        const addresses = await tasksAt(r, `/tasks/${r.variables.service}`);
        if (addresses.indexOf(address) < 0) {
            r.return(404);
        } else {
            r.internalRedirect(`/task/${address}`);
        }
    });
}

// In the gateway.

function add(key, amount) {
    ngx.shared.requests.incr(key, amount, 0);
}

// Called when a request ends. Keys are a name, the labels, and for a duration the bucket.
function count(r) {
    try {
        const variables = r.variables;
        const action = variables.action || 'other';
        const seconds = Number(variables.request_time);
        let bucket = 0;
        while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]) {
            bucket++;
        }
        add(`requests ${action} ${variables.status}`, 1);
        add(`bucket ${action} ${bucket}`, 1);
        add(`seconds ${action}`, seconds);
        add(`sent ${action}`, Number(variables.bytes_sent));
        add(`received ${action}`, Number(variables.request_length));
    } catch (error) {
        r.error(`metrics.js: ${error}`);
    }
    return '';
}

function metric(name, type, help, samples) {
    const lines = samples.map((sample) => `${name}${sample[0]} ${sample[1]}`);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`].concat(lines);
}

// Of one name, sorted: the labels and the value.
function counted(items, name, labels) {
    return items
        .filter((item) => item[0].indexOf(`${name} `) === 0)
        .map((item) => [labels(item[0].split(' ')), item[1]])
        .sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

const ofAction = (words) => `{action="${words[1]}"}`;

function durations(items) {
    const values = {};
    items.forEach((item) => {
        values[item[0]] = item[1];
    });
    const samples = [];
    counted(items, 'seconds', (words) => words[1]).forEach((sum) => {
        const action = sum[0];
        let count = 0;
        for (let i = 0; i <= BUCKETS.length; i++) {
            count += values[`bucket ${action} ${i}`] || 0;
            samples.push([`_bucket{action="${action}",le="${i < BUCKETS.length ? BUCKETS[i] : '+Inf'}"}`, count]);
        }
        samples.push([`_sum{action="${action}"}`, sum[1]], [`_count{action="${action}"}`, count]);
    });
    return samples;
}

// From the text of stub_status, with the names that nginx-prometheus-exporter gives them.
function connections(text) {
    const numbers = text.match(/[0-9]+/g);
    return [
        ['connections_active', 'gauge', 'Open connections'],
        ['connections_accepted', 'counter', 'Accepted connections'],
        ['connections_handled', 'counter', 'Handled connections'],
        ['http_requests_total', 'counter', 'Requests, those that nginx sends to itself included'],
        ['connections_reading', 'gauge', 'Connections whose request is read'],
        ['connections_writing', 'gauge', 'Connections whose answer is written'],
        ['connections_waiting', 'gauge', 'Connections without a request'],
    ]
        .map((row, i) => metric(`nginx_${row[0]}`, row[1], row[2], [['', numbers[i]]]))
        .reduce((all, lines) => all.concat(lines), []);
}

// The page of Prometheus's text format 0.0.4.
function page(items, status) {
    const codes = counted(items, 'requests', (words) => `{action="${words[1]}",code="${words[2]}"}`);
    return []
        .concat(
            metric('hephaestus_gateway_requests_total', 'counter', 'Requests of clients', codes),
            metric('hephaestus_gateway_request_duration_seconds', 'histogram', 'From first byte to last', durations(items)),
            metric('hephaestus_gateway_sent_bytes_total', 'counter', 'Bytes sent to clients', counted(items, 'sent', ofAction)),
            metric(
                'hephaestus_gateway_received_bytes_total',
                'counter',
                'Bytes received from clients',
                counted(items, 'received', ofAction),
            ),
            connections(status),
        )
        .map((line) => `${line}\n`)
        .join('');
}

function show(r) {
    return guarded(r, async () => {
        const askers = await tasksAt(r, '/askers');
        if (askers.indexOf(r.variables.realip_remote_addr) < 0) {
            r.return(404);
            return;
        }
        const status = await r.subrequest('/connections');
        r.headersOut['Content-Type'] = 'text/plain; version=0.0.4; charset=utf-8';
        r.return(200, page(ngx.shared.requests.items(), status.responseText));
    });
}

export default { count, list, page, pass, show };
