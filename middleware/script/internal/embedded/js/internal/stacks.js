'use strict';

// What V8 has on Error, for packages that ask who called them.

const original = Error;
let limit = 10;
let prepare;

// A place in a stack, from a line of the engine's.
class CallSite {
  constructor(line) {
    const [, name, file, row, column] = /^\tat (?:(\S+) \()?(.*?):(\d+):(\d+)(?:\(\d+\))?\)?$/.exec(line) || [];
    Object.assign(this, { name: name || null, file: file || null, row: Number(row) || null, column: Number(column) || null });
  }
  getFileName() { return this.file; }
  getScriptNameOrSourceURL() { return this.file; }
  getLineNumber() { return this.row; }
  getColumnNumber() { return this.column; }
  getFunctionName() { return this.name; }
  getMethodName() { return null; }
  getTypeName() { return null; }
  getFunction() { return undefined; }
  getThis() { return undefined; }
  getEvalOrigin() { return undefined; }
  isNative() { return this.file === null; }
  isToplevel() { return true; }
  isConstructor() { return false; }
  isEval() { return false; }
  isAsync() { return false; }
  toString() {
    const place = this.file === null ? '<anonymous>' : this.file + ':' + this.row + ':' + this.column;
    return this.name ? this.name + ' (' + place + ')' : place;
  }
}
for (const field of ['name', 'file', 'row', 'column']) {
  Object.defineProperty(CallSite.prototype, field, { writable: true });
}

// Gives an object the stack of who called the function that asks for it, or of who called below.
function capture(object, below) {
  if (typeof limit !== 'number') return;
  let lines = String(new original().stack).split('\n').filter((line) => line.startsWith('\tat ')).slice(2);
  if (typeof below === 'function' && below.name) {
    const at = lines.findIndex((line) => line.startsWith('\tat ' + below.name + ' ('));
    lines = lines.slice(at + 1);
  }
  lines = lines.slice(0, Math.max(0, limit));
  const put = (value) => Object.defineProperty(object, 'stack', { value, writable: true, configurable: true, enumerable: false });
  if (prepare) {
    put(prepare.call(original, object, lines.map((line) => new CallSite(line))));
    return;
  }
  // Written when it is asked for, since constructors set the name and the message afterwards.
  Object.defineProperty(object, 'stack', {
    get() {
      const text = [original.prototype.toString.call(object), ...lines].join('\n');
      put(text);
      return text;
    },
    set: put,
    configurable: true,
    enumerable: false,
  });
}

function captureStackTrace(object, below) {
  if ((typeof object !== 'object' || object === null) && typeof object !== 'function') throw new TypeError('invalid_argument');
  capture(object, below);
}

// Stands for Error while there is a function that prepares stacks, which the engine does not know of.
function Prepared(...args) {
  const error = Reflect.construct(original, args, new.target === undefined || new.target === Prepared ? original : new.target);
  capture(error);
  return error;
}
Prepared.prototype = original.prototype;
Object.setPrototypeOf(Prepared, original);
Object.defineProperty(Prepared, 'name', { value: 'Error' });

const share = (name, get, set) => Object.defineProperty(original, name, { get, set, configurable: true, enumerable: true });
share('stackTraceLimit', () => limit, (value) => { limit = value; });
share('prepareStackTrace', () => prepare, (value) => {
  prepare = typeof value === 'function' ? value : undefined;
  globalThis.Error = prepare ? Prepared : original;
});
Object.defineProperty(original, 'captureStackTrace', { value: captureStackTrace, writable: true, configurable: true, enumerable: false });
