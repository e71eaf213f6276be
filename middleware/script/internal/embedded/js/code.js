// Has check look at code before it is made of a text. The constructors of functions have the same prototypes as before;
// eval knows globals only.
(function (check) {
  for (const original of [Function, Object.getPrototypeOf(function* () {}).constructor, Object.getPrototypeOf(async () => {}).constructor]) {
    const guarded = function (...args) {
      const texts = args.map(String);
      check(texts.join('\n'));
      return Reflect.construct(original, texts, new.target === undefined || new.target === guarded ? original : new.target);
    };
    guarded.prototype = original.prototype;
    Object.setPrototypeOf(guarded, original);
    Object.defineProperty(guarded, 'name', { value: original.name, configurable: true });
    Object.defineProperty(original.prototype, 'constructor', { value: guarded, writable: true, configurable: true });
    if (original === Function) {
      Object.defineProperty(globalThis, 'Function', { value: guarded, writable: true, configurable: true, enumerable: false });
    }
  }
  const evaluate = globalThis.eval;
  const guarded = { eval(code) {
    if (typeof code === 'string') {
      check(code);
    }
    return evaluate(code);
  } };
  Object.defineProperty(globalThis, 'eval', { value: guarded.eval, writable: true, configurable: true, enumerable: false });
})
