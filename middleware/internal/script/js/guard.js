// Makes the constructor of that name throw before it allocates more than check allows. The classes that were
// made from the constructor, and instanceof, know it as before.
(function (name, check) {
  const original = globalThis[name];
  const width = original.BYTES_PER_ELEMENT || 1;
  const guarded = new Proxy(original, {
    construct(target, args, newTarget) {
      const size = args[0];
      if (typeof size === 'number') {
        check(size * width);
      } else if (size && typeof size === 'object' && typeof size.length === 'number') {
        check(size.length * width);
      }
      return Reflect.construct(target, args, newTarget === guarded ? target : newTarget);
    },
  });
  original.prototype.constructor = guarded;
  Object.defineProperty(globalThis, name, { value: guarded, writable: true, configurable: true, enumerable: false });
})
