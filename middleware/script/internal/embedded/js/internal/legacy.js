'use strict';

// What ECMAScript's annex B has beside what the engine brings.
const add = (object, methods) => {
  for (const [name, value] of Object.entries(methods)) {
    if (!(name in object)) Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  }
};

function lookUp(object, key, kind) {
  for (let at = Object(object); at !== null; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertyDescriptor(at, key);
    if (found) return found[kind];
  }
  return undefined;
}

function define(object, key, kind, f) {
  if (typeof f !== 'function') throw new TypeError('Object.prototype.__define' + (kind === 'get' ? 'Getter' : 'Setter') + '__: Expecting function');
  Object.defineProperty(object, key, { [kind]: f, enumerable: true, configurable: true });
}

add(Object.prototype, {
  __defineGetter__(key, f) { define(this, key, 'get', f); },
  __defineSetter__(key, f) { define(this, key, 'set', f); },
  __lookupGetter__(key) { return lookUp(this, key, 'get'); },
  __lookupSetter__(key) { return lookUp(this, key, 'set'); },
});

add(Date.prototype, {
  getYear() { return this.getFullYear() - 1900; },
  setYear(year) {
    const given = Number(year), whole = Math.trunc(given);
    if (Number.isNaN(given)) return this.setTime(NaN);
    const full = whole >= 0 && whole <= 99 ? 1900 + whole : given;
    return Number.isNaN(this.getTime()) ? this.setTime(new Date(full, 0, 1).getTime()) : this.setFullYear(full);
  },
  toGMTString: Date.prototype.toUTCString,
});
