// Sends calls through the published browser client, in a page of another origin: node browser.cjs URL WRITE_KEY CALLS.json
// Prints, as JSON, how many calls went through and what went wrong.
const { readFileSync } = require('node:fs')
const modules = process.env.SDK_MODULES
const [url, writeKey, file] = process.argv.slice(2)

function open(Window) {
  const window = new Window({ url: 'http://shop.example/products?utm_source=mail' })
  window.fetch = window.fetch.bind(window)
  const names = ['document', 'navigator', 'location', 'localStorage', 'sessionStorage', 'history', 'fetch', 'Event', 'CustomEvent', 'HTMLElement']
  const globals = Object.fromEntries(names.map((name) => [name, window[name]]))
  for (const [name, value] of Object.entries({ ...globals, window, self: window })) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  }
}

function send(analytics, { type, userId, event, name, category, properties, traits, groupId, previousId }) {
  switch (type) {
    case 'identify': return analytics.identify(userId, traits)
    case 'track': return analytics.track(event, properties)
    case 'group': return analytics.group(groupId, traits)
    case 'alias': return analytics.alias(userId, previousId)
    default: return analytics[type](category, name, properties)
  }
}

async function main() {
  open((await import(`${modules}/happy-dom/lib/index.js`)).Window)
  const { AnalyticsBrowser } = require(`${modules}/@segment/analytics-next`)
  const calls = JSON.parse(readFileSync(file, 'utf8'))
  const place = { apiHost: `${url.replace('http://', '')}/v1`, protocol: 'http' }
  const [analytics] = await AnalyticsBrowser.load({ writeKey, cdnURL: url }, { integrations: { 'Segment.io': place } })
  analytics.setAnonymousId('a1')
  for (const call of calls) {
    await send(analytics, call)
  }
  for (let waited = 0; waited < 200 && analytics.queue.queue.length > 0; waited += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { delivered: calls.length - analytics.queue.queue.length, errors: [] }
}

main().catch((error) => ({ delivered: 0, errors: [String(error)] })).then((told) => {
  console.log(JSON.stringify(told))
  process.exit(0)
})
