// Sends every kind of call through the published client: node segment.cjs URL WRITE_KEY CALLS.json
// Prints, as JSON, what the client told about its deliveries.
const { readFileSync } = require('node:fs')
const { Analytics } = require(`${process.env.SDK_MODULES}/@segment/analytics-node`)

const [url, writeKey, file] = process.argv.slice(2)
const errors = []
let delivered = 0
const analytics = new Analytics({ writeKey, host: url, flushAt: 3, flushInterval: 50, maxRetries: 3 })
analytics.on('error', (error) => errors.push(`${error.code}: ${error.reason?.message ?? error.reason ?? ''}`))

for (const { type, ...call } of JSON.parse(readFileSync(file, 'utf8'))) {
  if (call.timestamp) call.timestamp = new Date(call.timestamp)
  analytics[type](call, (error) => { if (!error) delivered += 1 })
}
analytics.closeAndFlush({ timeout: 60000 }).then(() => console.log(JSON.stringify({ delivered, errors })))
