// What the tablet's engine stores for each row: run by make.py beside the installed engine.
// Arguments: a folder of forms `0.xml` …, and a file with the path of each form's node, one a line.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { JSDOM } from 'jsdom'

const { window } = new JSDOM('', { url: 'http://localhost/' })
for (const name of Object.getOwnPropertyNames(window)) if (!(name in globalThis)) globalThis[name] = window[name]
globalThis.require = createRequire(import.meta.url)
globalThis.__dirname = process.cwd()
const { loadForm } = await import('@getodk/xforms-engine')

const [folder, paths] = process.argv.slice(2)
const told = []
for (const [row, path] of readFileSync(paths, 'utf8').trimEnd().split('\n').entries()) {
  try {
    const options = { fetchFormAttachment: async () => new Response(''), missingResourceBehavior: 'BLANK' }
    const form = await loadForm(readFileSync(`${folder}/${row}.xml`, 'utf8'), options)
    if (form.status === 'failure') throw form.error
    const { root } = form.createInstance()
    const xml = new window.DOMParser().parseFromString(root.instanceState.instanceXML, 'text/xml')
    let found = [xml.documentElement]
    for (const name of path.split('/').slice(2)) found = found.flatMap(node => [...node.children].filter(child => child.localName === name))
    told.push(found.map(node => node.textContent).join(' | '))
  } catch (error) {
    told.push('!' + String(error.message).replaceAll(/\s+/g, ' ').slice(0, 60))
  }
}
process.stdout.write(told.join('\n') + '\n', () => process.exit())
