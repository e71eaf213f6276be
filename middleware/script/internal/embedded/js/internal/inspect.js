'use strict';

const custom = Symbol.for('nodejs.util.inspect.custom');
const quote = (text) => "'" + JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'") + "'";
const more = (count, what) => '... ' + count + ' more ' + what + (count > 1 ? 's' : '');

function inspect(value, options, depth) {
  const ctx = { depth: 2, maxArrayLength: 100, maxStringLength: 10000, ...(typeof options === 'object' ? options : depth !== undefined && { depth }) };
  for (const bound of ['depth', 'maxArrayLength', 'maxStringLength']) if (ctx[bound] === null) ctx[bound] = Infinity;
  ctx.above = [];
  return write(value, Math.min(ctx.depth, 100), ctx);
}
inspect.custom = custom;

function write(value, depth, ctx) {
  if (typeof value === 'string') {
    const left = value.length - ctx.maxStringLength;
    return left > 0 ? quote(value.slice(0, ctx.maxStringLength)) + more(left, 'character') : quote(value);
  }
  if (typeof value === 'bigint') return value + 'n';
  if (Object(value) !== value) return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value[custom] === 'function' && value[custom] !== inspect) {
    const own = value[custom](depth, { ...ctx, depth }, inspect);
    return typeof own === 'string' ? own : write(own, depth, ctx);
  }
  if (ctx.above.includes(value)) return '[Circular]';
  ctx.above.push(value);
  const text = writeObject(value, depth, ctx);
  ctx.above.pop();
  return text;
}

// The name of the nearest class that has one.
function nameOf(value) {
  for (let at = value; at; at = Object.getPrototypeOf(at)) {
    const own = Object.getOwnPropertyDescriptor(at, 'constructor');
    if (own && typeof own.value === 'function' && own.value.name) return own.value.name;
  }
  return '[Object: null prototype]';
}

// What an object is written as by itself, if it is no collection of values.
function headOf(value, name) {
  if (typeof value === 'function') {
    return (/^class\b/.test(Function.prototype.toString.call(value)) ? '[class ' : '[' + name + ': ') + (value.name || '(anonymous)') + ']';
  }
  if (value instanceof Error) return /\n\s+at /.test(value.stack) ? value.stack.trimEnd() : '[' + (value.stack || value) + ']';
  if (value instanceof Date) return isNaN(value) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  const plain = value.valueOf && value.valueOf !== Object.prototype.valueOf ? value.valueOf() : value;
  return Object(plain) === plain ? undefined : '[' + name + ': ' + inspect(plain) + ']';
}

// A head without braces stands alone unless the object has properties.
function writeObject(value, depth, ctx) {
  const name = nameOf(value);
  const head = headOf(value, name);
  const listed = Array.isArray(value) || ArrayBuffer.isView(value);
  const isShown = (key) => Object.prototype.propertyIsEnumerable.call(value, key) && key.description !== 'client' &&
    !((listed || value instanceof String) && /^\d+$/.test(String(key))) && !(value instanceof Error && (key === 'stack' || key === 'message'));
  const keys = Reflect.ownKeys(value).filter(isShown);
  if (head !== undefined && keys.length === 0) return head;
  if (depth < 0) return '[' + (listed ? 'Array' : name) + ']';
  const item = (v) => write(v, depth - 1, ctx);
  const sized = value instanceof Map || value instanceof Set;
  const all = sized || listed ? Array.from(value) : [];
  const items = all.slice(0, ctx.maxArrayLength).map(value instanceof Map ? ([k, v]) => item(k) + ' => ' + item(v) : item);
  if (all.length > items.length) items.push(more(all.length - items.length, 'item'));
  for (const key of keys) items.push(property(value, key, item));
  const plain = name === 'Array' || name === 'Object' && !head;
  const prefix = head !== undefined ? head + ' ' : plain ? '' : name + (sized || listed ? '(' + all.length + ') ' : ' ');
  return prefix + braces(items, listed ? '[' : '{', listed ? ']' : '}');
}

function property(value, key, item) {
  const { get } = Object.getOwnPropertyDescriptor(value, key) || {};
  const name = typeof key === 'symbol' ? '[' + key.toString() + ']' : /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
  return name + ': ' + (get ? '[Getter]' : item(value[key]));
}

function braces(items, open, close) {
  if (items.length === 0) return open + close;
  const line = items.join(', ');
  return line.length <= 72 ? open + ' ' + line + ' ' + close : open + '\n  ' + items.map((i) => i.replace(/\n/g, '\n  ')).join(',\n  ') + '\n' + close;
}

// An object with a toString that is not built in says what it is.
function asText(value) {
  const built = [Object.prototype.toString, Array.prototype.toString, Error.prototype.toString];
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null && !built.includes(value.toString) ? String(value) : inspect(value, { depth: 0 });
}

const number = (value, read) => {
  if (typeof value === 'bigint') return value + 'n';
  return typeof value === 'symbol' || (typeof value === 'object' && value !== null) ? 'NaN' : inspect(read(value));
};
const conversions = {
  '%s': asText,
  '%d': (value) => number(value, Number),
  '%i': (value) => number(value, (v) => parseInt(v, 10)),
  '%f': (value) => number(value, parseFloat),
  '%j': (value) => { try { return JSON.stringify(value); } catch (error) { return '[Circular]'; } },
  '%o': (value) => inspect(value, { depth: 4 }),
  '%O': (value) => inspect(value),
  '%c': () => '',
};

function format(...args) {
  if (typeof args[0] !== 'string') return args.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' ');
  if (args.length === 1) return args[0];
  let next = 1;
  const text = args[0].replace(/%[sdifjoOc%]/g, (mark) => {
    if (mark === '%%') return '%';
    return next < args.length ? conversions[mark](args[next++]) : mark;
  });
  return [text, ...args.slice(next).map((value) => (typeof value === 'string' ? value : inspect(value)))].join(' ');
}

module.exports = { inspect, format };
