// longest returns the numeric result with the most values, as {name, unit, points: [{at, value}]}; null if none has two.
function longest(observations) {
  const all = new Map()
  for (const o of observations) {
    // A panel such as a blood pressure has its values in components.
    for (const part of [o, ...(o.component ?? [])]) {
      const value = part.valueQuantity?.value
      const name = textOf(part.code)
      if (value === undefined || !name || !o.effectiveDateTime) continue
      const key = `${name} ${part.valueQuantity.unit}`
      if (!all.has(key)) all.set(key, { name, unit: part.valueQuantity.unit ?? '', points: [] })
      all.get(key).points.push({ at: new Date(o.effectiveDateTime), value })
    }
  }
  const best = [...all.values()].sort((a, b) => b.points.length - a.points.length)[0]
  if (!best || best.points.length < 2) return null
  best.points.sort((a, b) => a.at - b.at)
  return best
}

const svg = (name, attributes, text) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value)
  if (text !== undefined) e.textContent = text
  return e
}

// chart draws a series as a line. The values are also in a table, for people who do not see it.
function chart({ name, unit, points }) {
  const [width, height, left, bottom, top, right] = [640, 260, 60, 30, 15, 15]
  const values = points.map((p) => p.value)
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const [first, last] = [points[0].at, points.at(-1).at]
  const x = (at) => left + (width - left - right) * (last - first ? (at - first) / (last - first) : 0.5)
  const y = (value) => height - bottom - (height - bottom - top) * (high - low ? (value - low) / (high - low) : 0.5)

  const drawing = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${name} in ${unit}, ${points.length} values from ${low} to ${high}` })
  drawing.append(
    svg('path', { class: 'axis', d: `M${left} ${top}V${height - bottom}H${width - right}` }),
    svg('polyline', { class: 'line', points: points.map((p) => `${x(p.at)},${y(p.value)}`).join(' ') }),
    ...points.map((p) => svg('circle', { class: 'point', cx: x(p.at), cy: y(p.value), r: 4 })),
    svg('text', { x: left - 8, y: y(high) + 5, 'text-anchor': 'end' }, high),
    svg('text', { x: left - 8, y: y(low) + 5, 'text-anchor': 'end' }, low),
    svg('text', { x: left, y: height - 8 }, first.toISOString().slice(0, 10)),
    svg('text', { x: width - right, y: height - 8, 'text-anchor': 'end' }, last.toISOString().slice(0, 10)),
  )

  const details = document.createElement('details')
  const summary = document.createElement('summary')
  summary.textContent = `The ${points.length} values`
  const table = document.createElement('table')
  table.createTHead().insertRow().append(...['Date', `Value (${unit})`].map((text) => Object.assign(document.createElement('th'), { textContent: text, scope: 'col' })))
  for (const p of points) {
    const row = table.insertRow()
    row.insertCell().textContent = p.at.toISOString().slice(0, 10)
    row.insertCell().textContent = p.value
  }
  details.append(summary, table)

  const both = document.createElement('div')
  both.append(drawing, details)
  return both
}
