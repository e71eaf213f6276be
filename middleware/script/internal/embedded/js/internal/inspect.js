'use strict';

const custom = Symbol.for('nodejs.util.inspect.custom');
const tag = (value) => Object.prototype.toString.call(value).slice(8, -1);

const escapes = { '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '\\': '\\\\' };

function quote(text) {
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes('`') && !text.includes('${') ? '`' : "'";
  const plain = text.replace(/[\u0000-\u001f\\\u007f-\u009f]/g, (c) => {
    return escapes[c] || '\\x' + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
  });
  return mark + (mark === "'" ? plain.replace(/'/g, "\\'") : plain) + mark;
}

function inspect(value, options, depth) {
  const ctx = Object.assign({ depth: 2, maxArrayLength: 100, maxStringLength: 10000 }, typeof options === 'object' ? options : { depth });
  if (ctx.depth === undefined) ctx.depth = 2;
  for (const bound of ['depth', 'maxArrayLength', 'maxStringLength']) {
    if (ctx[bound] === null) ctx[bound] = Infinity;
  }
  ctx.above = [];
  ctx.circular = new Map();
  return write(value, Math.min(ctx.depth, 100), ctx);
}
inspect.custom = custom;
inspect.defaultOptions = {};

function writeString(value, ctx) {
  const left = value.length - ctx.maxStringLength;
  if (left <= 0) return quote(value);
  return quote(value.slice(0, ctx.maxStringLength)) + more(left, 'character');
}

function write(value, depth, ctx) {
  switch (typeof value) {
    case 'string': return writeString(value, ctx);
    case 'bigint': return value + 'n';
    case 'symbol': return value.toString();
    case 'function': return writeObject(value, depth, ctx);
    case 'object': return value === null ? 'null' : writeObject(value, depth, ctx);
    default: return Object.is(value, -0) ? '-0' : String(value);
  }
}

function writeObject(value, depth, ctx) {
  if (typeof value[custom] === 'function' && value[custom] !== inspect) {
    const own = value[custom](depth, Object.assign({}, ctx, { depth }), inspect);
    return typeof own === 'string' ? own : write(own, depth, ctx);
  }
  if (ctx.above.includes(value)) {
    if (!ctx.circular.has(value)) ctx.circular.set(value, ctx.circular.size + 1);
    return '[Circular *' + ctx.circular.get(value) + ']';
  }
  ctx.above.push(value);
  const text = writeParts(value, depth, ctx);
  ctx.above.pop();
  return ctx.circular.has(value) ? '<ref *' + ctx.circular.get(value) + '> ' + text : text;
}

// The name of the nearest class that has one.
function nameOf(value) {
  for (let at = value; at; at = Object.getPrototypeOf(at)) {
    const own = Object.getOwnPropertyDescriptor(at, 'constructor');
    if (own && typeof own.value === 'function' && own.value.name) return own.value.name;
  }
  return '';
}

// A head without braces stands alone unless the object has properties.
function writeParts(value, depth, ctx) {
  const name = nameOf(value);
  const head = headOf(value);
  const keys = keysOf(value, ctx);
  if (head !== undefined && keys.length === 0) return head;
  if (depth < 0) return Array.isArray(value) ? '[Array]' : '[' + (name || 'Object: null prototype') + ']';
  const item = (v) => write(v, depth - 1, ctx);
  const parts = head === undefined ? partsOf(value, name, item, ctx) : { prefix: head + ' ', items: [] };
  const { prefix, items, open = '{', close = '}' } = parts;
  for (const key of keys) items.push(property(value, key, item, open));
  return prefix + braces(items, open, close);
}

// What an object is written as by itself, if it is no collection of values.
function headOf(value) {
  if (typeof value === 'function') return writeFunction(value);
  if (value instanceof Error) {
    const stack = value.stack ? String(value.stack).trimEnd() : String(value);
    return /\n\s+at /.test(stack) ? stack : '[' + stack + ']';
  }
  if (value instanceof Date) return isNaN(value) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof WeakMap || value instanceof WeakSet) return nameOf(value) + ' { <items unknown> }';
  for (const type of [String, Number, Boolean, Symbol, BigInt]) {
    if (value instanceof type && tag(value) === type.name) return '[' + type.name + ': ' + inspect(type.prototype.valueOf.call(value)) + ']';
  }
  return undefined;
}

function writeFunction(value) {
  const text = Function.prototype.toString.call(value);
  if (/^class\b/.test(text)) {
    const parent = Object.getPrototypeOf(value);
    return '[class ' + (value.name || '(anonymous)') + (parent && parent.name ? ' extends ' + parent.name : '') + ']';
  }
  return '[' + tag(value) + (value.name ? ': ' + value.name : ' (anonymous)') + ']';
}

const isIndex = (key) => /^(0|[1-9]\d*)$/.test(key);

function keysOf(value, ctx) {
  const listed = Array.isArray(value) || ArrayBuffer.isView(value) || value instanceof String;
  const keys = Object.keys(value).filter((key) => !(listed && isIndex(key)));
  if (value instanceof Error) {
    for (const key of ['stack', 'message']) if (keys.includes(key)) keys.splice(keys.indexOf(key), 1);
    if (Object.prototype.hasOwnProperty.call(value, 'cause') && !keys.includes('cause')) keys.push('cause');
  }
  const symbols = Object.getOwnPropertySymbols(value).filter((s) => s.description !== 'chain' && Object.prototype.propertyIsEnumerable.call(value, s));
  if (ctx.sorted) keys.sort(typeof ctx.sorted === 'function' ? ctx.sorted : undefined);
  return [...keys, ...symbols];
}

function property(value, key, item, open) {
  const { get, set } = Object.getOwnPropertyDescriptor(value, key) || {};
  const text = get ? (set ? '[Getter/Setter]' : '[Getter]') : set ? '[Setter]' : item(value[key]);
  if (typeof key === 'symbol') return '[' + key.toString() + ']: ' + text;
  const hidden = value instanceof Error && !Object.prototype.propertyIsEnumerable.call(value, key);
  const label = hidden ? '[' + key + ']' : /^[A-Za-z_$][\w$]*$/.test(key) || (open === '[' && isIndex(key)) ? key : quote(key);
  return label + ': ' + text;
}

function partsOf(value, name, item, ctx) {
  const collection = (one) => {
    const items = [...value].slice(0, ctx.maxArrayLength).map(one);
    if (value.size > items.length) items.push(more(value.size - items.length));
    return { prefix: name + '(' + value.size + ') ', items };
  };
  if (value instanceof Promise) return { prefix: 'Promise ', items: ['<pending>'] };
  if (value instanceof Map) return collection(([k, v]) => item(k) + ' => ' + item(v));
  if (value instanceof Set) return collection(item);
  if (value instanceof DataView) return { prefix: 'DataView ', items: [] };
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const plain = name === 'Array' || name === '';
    return { prefix: plain ? '' : name + '(' + value.length + ') ', items: elements(value, item, ctx), open: '[', close: ']' };
  }
  if (value instanceof ArrayBuffer) {
    const bytes = Buffer.from(value).toString('hex').slice(0, 100).replace(/..(?=.)/g, '$& ');
    return { prefix: 'ArrayBuffer ', items: ['[Uint8Contents]: <' + bytes + '>', 'byteLength: ' + value.byteLength] };
  }
  const kind = tag(value);
  if (kind === 'Arguments') return { prefix: '[Arguments] ', items: [] };
  const prefix = name === '' ? '[Object: null prototype] ' : name === 'Object' && kind === 'Object' ? '' : name + ' ';
  return { prefix: kind !== 'Object' && kind !== name && kind !== 'Error' ? (prefix || 'Object ') + '[' + kind + '] ' : prefix, items: [] };
}

const more = (count, what = 'item') => '... ' + count + ' more ' + what + (count > 1 ? 's' : '');

function elements(value, item, ctx) {
  const items = [];
  let at = 0;
  while (at < value.length && items.length < ctx.maxArrayLength) {
    let end = at;
    while (end < value.length && !(end in value)) end++;
    if (end > at) {
      items.push('<' + (end - at) + ' empty item' + (end - at > 1 ? 's' : '') + '>');
      at = end;
    } else {
      items.push(item(value[at++]));
    }
  }
  if (at < value.length) items.push(more(value.length - at));
  return items;
}

function braces(items, open, close) {
  if (items.length === 0) return open + close;
  const line = items.join(', ');
  return line.length <= 72 ? open + ' ' + line + ' ' + close : open + '\n  ' + items.map((i) => i.replace(/\n/g, '\n  ')).join(',\n  ') + '\n' + close;
}

// An object with a toString that is not built in says what it is.
function asText(value) {
  if (typeof value === 'bigint' || Object.is(value, -0)) return inspect(value);
  if (typeof value !== 'object' || value === null) return String(value);
  return hasBuiltInText(value) ? inspect(value, { depth: 0 }) : String(value);
}

function hasBuiltInText(value) {
  let holder = value;
  while (holder && !Object.prototype.hasOwnProperty.call(holder, 'toString')) holder = Object.getPrototypeOf(holder);
  return !holder || (holder !== value && /\[native code\]/.test(holder.constructor));
}

function number(value, read) {
  return typeof value === 'bigint' ? value + 'n' : typeof value === 'symbol' || (typeof value === 'object' && value !== null) ? 'NaN' : inspect(read(value));
}

const conversions = {
  '%s': asText,
  '%d': (value) => number(value, Number),
  '%i': (value) => number(value, (v) => parseInt(v, 10)),
  '%f': (value) => (typeof value === 'symbol' ? 'NaN' : inspect(parseFloat(value))),
  '%j': (value) => { try { return JSON.stringify(value); } catch (error) { return '[Circular]'; } },
  '%o': (value) => inspect(value, { depth: 4 }),
  '%O': (value) => inspect(value),
  '%c': () => '',
};

function format(...args) {
  const words = [];
  if (typeof args[0] === 'string') {
    let next = 1;
    words.push(args.length === 1 ? args[0] : args[0].replace(/%[sdifjoOc%]/g, (mark) => {
      if (mark === '%%') return '%';
      return next < args.length ? conversions[mark](args[next++]) : mark;
    }));
    args = args.slice(next);
  }
  for (const value of args) {
    words.push(typeof value === 'string' ? value : inspect(value));
  }
  return words.join(' ');
}

module.exports = { inspect, format };
