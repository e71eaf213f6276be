'use strict';

// Error.captureStackTrace, and stacks that begin with the error's name and message, as V8 has them.
const original = Error;
const hide = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });

const header = (error) => {
  try {
    return original.prototype.toString.call(error);
  } catch (failure) {
    return 'Error';
  }
};
// The stack of who called the function that asks for it, or the one below that is given.
function captureStackTrace(object, below) {
  let lines = new original().stack.split('\n').slice(1);
  const at = typeof below === 'function' && below.name ? lines.findIndex((line) => line.includes('at ' + below.name + ' (')) : -1;
  lines = lines.slice(at + 1);
  const put = (value) => hide(object, 'stack', value);
  Object.defineProperty(object, 'stack', {
    get() { // when it is asked for, since constructors set the name and the message afterwards
      put(header(object) + '\n' + lines.join('\n').trimEnd());
      return object.stack;
    },
    set: put,
    configurable: true,
  });
}

for (const Type of [original, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError]) {
  const Headed = function (...args) {
    const error = Reflect.construct(Type, args, new.target === undefined || new.target === Headed ? Type : new.target);
    const lines = error.stack.split('\n');
    const own = lines.findIndex((line) => line.includes('node:internal/stacks'));
    lines.splice(0, own + 1);
    return hide(error, 'stack', header(error) + '\n' + lines.join('\n').trimEnd());
  };
  Headed.prototype = Type.prototype;
  Object.setPrototypeOf(Headed, Type === original ? Object.getPrototypeOf(Type) : globalThis.Error);
  Object.defineProperty(Headed, 'name', { value: Type.name, configurable: true });
  Object.defineProperty(Headed, 'length', { value: Type.length, configurable: true });
  hide(Type.prototype, 'constructor', Headed);
  if (Type === original) Object.assign(Headed, { captureStackTrace, stackTraceLimit: 10 });
  hide(globalThis, Type.name, Headed);
}
