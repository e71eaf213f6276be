// Makes the constructor of that name throw before it allocates more than check allows. It is a constructor of
// its own with the same prototype: instanceof and classes that extend it know no difference.
(function (name, check) {
  const original = globalThis[name];
  const width = original.BYTES_PER_ELEMENT || 1;
  const guarded = function (...args) {
    if (new.target === undefined) {
      throw new TypeError('Constructor ' + name + ' requires \'new\'');
    }
    const size = args[0];
    if (typeof size === 'number') {
      check(size * width);
    } else if (size && typeof size === 'object' && typeof size.length === 'number') {
      check(size.length * width);
    }
    return Reflect.construct(original, args, new.target === guarded ? original : new.target);
  };
  guarded.prototype = original.prototype;
  Object.setPrototypeOf(guarded, original);
  Object.defineProperty(guarded, 'name', { value: name, configurable: true });
  Object.defineProperty(original.prototype, 'constructor', { value: guarded, writable: true, configurable: true });
  Object.defineProperty(globalThis, name, { value: guarded, writable: true, configurable: true, enumerable: false });
})
