// Gives RegExp what the engine lacks: properties, such as \p{L}, and RegExp.$1. Like in guard.js, the constructor
// is one of its own with the same prototype.
(function (expand, rangeMark, species) {
  'use strict';

  const original = globalThis.RegExp;
  const { prototype } = original;
  const property = /\\p/i;
  const define = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });

  // Compiled ones, since programs make the same again and again.
  const known = new Map();

  function make(pattern, flags) {
    const key = flags + '/' + pattern;
    let regexp = known.get(key);
    if (!regexp) {
      regexp = new original(expand(pattern), flags);
      if (known.size >= 100) known.clear();
      known.set(key, regexp);
    }
    return new original(regexp);
  }

  const text = (value) => (value === undefined ? '' : typeof value === 'string' ? value : `${value}`);
  const isRegExp = (value) => {
    if (typeof value !== 'object' || value === null) return false;
    const matcher = value[Symbol.match];
    return matcher === undefined ? value instanceof original : Boolean(matcher);
  };

  // What the engine would get wrong, as it comes from a regular expression with properties whose flag u was left out.
  function check(pattern) {
    if (pattern.includes(rangeMark)) {
      throw new SyntaxError('Invalid regular expression: the source of one with \\p{…} is used without flag u');
    }
  }

  function construct(pattern, flags, target) {
    if (isRegExp(pattern)) {
      if (flags === undefined && target === wrapped && Object.getPrototypeOf(pattern) === prototype) return new original(pattern);
      if (flags === undefined) flags = pattern.flags;
      pattern = pattern.source;
    }
    pattern = text(pattern);
    flags = text(flags);
    if (!flags.includes('u')) {
      check(pattern);
    } else if (property.test(pattern)) {
      if (target === wrapped) return make(pattern, flags);
      pattern = expand(pattern);
    }
    return Reflect.construct(original, [pattern, flags], target === wrapped ? original : target);
  }

  function wrapped(pattern, flags) {
    if (new.target === undefined && flags === undefined && isRegExp(pattern) && pattern.constructor === wrapped) return pattern;
    return construct(pattern, flags, new.target || wrapped);
  }
  wrapped.prototype = prototype;
  Object.setPrototypeOf(wrapped, original);
  Object.defineProperty(wrapped, 'name', { value: 'RegExp', configurable: true });
  Object.defineProperty(wrapped, 'prototype', { writable: false, enumerable: false, configurable: false });
  // The engine's fast paths are for its own constructor.
  Object.defineProperty(wrapped, Symbol.species, { get: species(wrapped, original), configurable: true });
  define(prototype, 'constructor', wrapped);
  define(globalThis, 'RegExp', wrapped);

  // What the last match was, once trackMatches has been called.
  let last = null;

  function trackMatches() {
    if (last) return;
    last = Object.assign([''], { index: 0, input: '' });
    const { exec } = prototype;
    // The methods of strings find that this is not the engine's own and call it.
    define(prototype, 'exec', function (string) {
      const found = exec.call(this, string);
      if (found) last = Object.assign(found.slice(), { index: found.index, input: found.input });
      return found;
    });
    define(prototype, 'test', function (string) { return this.exec(string) !== null; });
  }

  function offer(names, get) {
    for (const name of names) {
      Object.defineProperty(wrapped, name, {
        get() {
          if (!last) throw new Error('RegExp.' + name + ' is not available here by way of another name for RegExp');
          return get(last);
        },
        set() {},
        configurable: true,
      });
    }
  }
  for (let i = 1; i <= 9; i++) {
    offer(['$' + i], (match) => match[i] || '');
  }
  offer(['input', '$_'], (match) => match.input);
  offer(['lastMatch', '$&'], (match) => match[0]);
  offer(['lastParen', '$+'], (match) => (match.length > 1 && match[match.length - 1]) || '');
  offer(['leftContext', '$`'], (match) => match.input.slice(0, match.index));
  offer(['rightContext', "$'"], (match) => match.input.slice(match.index + match[0].length));

  const { compile } = prototype;
  define(prototype, 'compile', function (pattern, flags) {
    return compile.call(this, construct(pattern, flags, wrapped));
  });

  return trackMatches;
})
