'use strict';

// The smaller ones of the globals that Node has from browsers.

const { coded, invalidType } = require('internal/errors');

const codes = {
  InvalidCharacterError: 5, NotSupportedError: 9, InvalidStateError: 11, SyntaxError: 12, AbortError: 20, TimeoutError: 23, DataCloneError: 25,
};

class DOMException extends Error {
  constructor(message = '', name = 'Error') {
    super(message);
    Object.defineProperty(this, 'name', { value: String(name), configurable: true });
  }
  get code() { return codes[this.name] || 0; }
}

const missing = (what) => coded(TypeError, 'ERR_MISSING_ARGS', 'The ' + what + ' must be specified');

function atob(...args) {
  if (args.length === 0) throw missing('"input" argument');
  const text = String(args[0]).replace(/[\t\n\f\r ]/g, '');
  const bare = text.length % 4 === 0 ? text.replace(/={1,2}$/, '') : text;
  if (/[^A-Za-z0-9+/]/.test(bare)) throw new DOMException('Invalid character', 'InvalidCharacterError');
  if (bare.length % 4 === 1) throw new DOMException('The string to be decoded is not correctly encoded.', 'InvalidCharacterError');
  return Buffer.from(bare, 'base64').toString('latin1');
}

function btoa(...args) {
  if (args.length === 0) throw missing('"input" argument');
  const text = String(args[0]);
  if (/[^\0-\xff]/.test(text)) throw new DOMException('Invalid character', 'InvalidCharacterError');
  return Buffer.from(text, 'latin1').toString('base64');
}

class Event {
  constructor(type, { cancelable = false, bubbles = false } = {}) {
    Object.assign(this, { type: String(type), cancelable, bubbles, defaultPrevented: false, target: null, currentTarget: null, timeStamp: performance.now() });
  }
  preventDefault() { if (this.cancelable) this.defaultPrevented = true; }
  stopImmediatePropagation() { Object.defineProperty(this, 'stopped', { value: true }); }
  stopPropagation() {}
}

const listenersOf = new WeakMap();

class EventTarget {
  addEventListener(type, listener, options = {}) {
    if (listener === null || listener === undefined) return;
    if (typeof listener !== 'function' && typeof listener !== 'object') throw invalidType('listener', 'an instance of EventListener', listener);
    if (!listenersOf.has(this)) listenersOf.set(this, []);
    const list = listenersOf.get(this);
    if (!list.some((l) => l.type === String(type) && l.listener === listener)) list.push({ type: String(type), listener, once: Boolean(options.once) });
  }
  removeEventListener(type, listener) {
    const list = listenersOf.get(this) || [];
    listenersOf.set(this, list.filter((l) => l.type !== String(type) || l.listener !== listener));
  }
  dispatchEvent(event) {
    if (!(event instanceof Event)) throw invalidType('event', 'an instance of Event', event);
    event.target = event.currentTarget = this;
    for (const { type, listener, once } of [...(listenersOf.get(this) || [])]) {
      if (type !== event.type || event.stopped) continue;
      if (once) this.removeEventListener(type, listener);
      if (typeof listener === 'function') {
        listener.call(this, event);
      } else {
        listener.handleEvent(event);
      }
    }
    return !event.defaultPrevented;
  }
}

const making = Symbol('making');

class AbortSignal extends EventTarget {
  constructor(by) {
    if (by !== making) throw coded(TypeError, 'ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor');
    super();
    Object.defineProperty(this, 'state', { value: { aborted: false, reason: undefined, handler: null } });
  }
  get aborted() { return this.state.aborted; }
  get reason() { return this.state.reason; }
  get onabort() { return this.state.handler; }
  set onabort(handler) {
    this.removeEventListener('abort', this.state.handler);
    this.state.handler = handler;
    this.addEventListener('abort', handler);
  }
  throwIfAborted() { if (this.aborted) throw this.reason; }

  static abort(reason) {
    const signal = new AbortSignal(making);
    abort(signal, reason);
    return signal;
  }
  static timeout(ms) {
    const signal = new AbortSignal(making);
    setTimeout(() => abort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms);
    return signal;
  }
  static any(signals) {
    const one = new AbortSignal(making);
    for (const signal of signals) {
      if (signal.aborted) {
        abort(one, signal.reason);
        break;
      }
      signal.addEventListener('abort', () => abort(one, signal.reason), { once: true });
    }
    return one;
  }
}

function abort(signal, reason = new DOMException('This operation was aborted', 'AbortError')) {
  if (signal.aborted) return;
  Object.assign(signal.state, { aborted: true, reason });
  signal.dispatchEvent(new Event('abort'));
}

class AbortController {
  constructor() { Object.defineProperty(this, 'signal', { value: new AbortSignal(making), enumerable: true }); }
  abort(reason) { abort(this.signal, reason); }
}

module.exports = { DOMException, atob, btoa, Event, EventTarget, AbortSignal, AbortController, structuredClone: require('internal/clone')(DOMException) };
