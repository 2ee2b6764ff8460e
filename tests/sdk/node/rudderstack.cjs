// Sends every kind of call through the published client: node rudderstack.cjs URL WRITE_KEY CALLS.json
// Prints, as JSON, what the client told about its deliveries.
const { readFileSync } = require('node:fs')
const Analytics = require(`${process.env.SDK_MODULES}/@rudderstack/rudder-sdk-node`)

const [url, writeKey, file] = process.argv.slice(2)
const errors = []
let delivered = 0
const analytics = new Analytics(writeKey, {
  dataPlaneUrl: url, flushAt: 3, flushInterval: 50, logLevel: 'silly', errorHandler: (error) => errors.push(error.message)
})
const calls = JSON.parse(readFileSync(file, 'utf8'))
const done = calls.map(({ type, ...call }) => new Promise((resolve) => {
  if (call.timestamp) call.originalTimestamp = new Date(call.timestamp)
  delete call.timestamp
  analytics[type](call, (error) => { if (error) { errors.push(error.message) } else { delivered += 1 } resolve() })
}))
Promise.all(done).then(() => console.log(JSON.stringify({ delivered, errors: [...new Set(errors)] })))
analytics.flush().catch((error) => errors.push(error.message))
