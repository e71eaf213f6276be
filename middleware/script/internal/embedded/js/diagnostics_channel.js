'use strict';

// Channels for what packages tell those who watch them.
const channels = new Map();

class Channel {
  constructor(name) {
    this.name = name;
    this._subscribers = [];
  }
  get hasSubscribers() { return this._subscribers.length > 0; }
  subscribe(listener) { this._subscribers = [...this._subscribers, listener]; }
  unsubscribe(listener) {
    const before = this._subscribers.length;
    this._subscribers = this._subscribers.filter((one) => one !== listener);
    return this._subscribers.length < before;
  }
  publish(message) { for (const listener of this._subscribers) listener(message, this.name); }
  bindStore() {}
  unbindStore() { return false; }
  runStores(message, f, self, ...args) {
    this.publish(message);
    return f.apply(self, args);
  }
}

function channel(name) {
  if (!channels.has(name)) channels.set(name, new Channel(name));
  return channels.get(name);
}

const kinds = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

class TracingChannel {
  constructor(names) {
    for (const kind of kinds) this[kind] = typeof names === 'string' ? channel('tracing:' + names + ':' + kind) : names[kind];
  }
  get hasSubscribers() { return kinds.some((kind) => this[kind].hasSubscribers); }
  subscribe(listeners) { for (const kind of kinds) if (listeners[kind]) this[kind].subscribe(listeners[kind]); }
  unsubscribe(listeners) { return kinds.every((kind) => !listeners[kind] || this[kind].unsubscribe(listeners[kind])); }
  traceSync(f, context = {}, self, ...args) {
    this.start.publish(context);
    try {
      return context.result = f.apply(self, args);
    } catch (error) {
      context.error = error;
      this.error.publish(context);
      throw error;
    } finally {
      this.end.publish(context);
    }
  }
  tracePromise(f, context = {}, self, ...args) {
    const settled = (key, answer) => (value) => {
      context[key] = value;
      if (key === 'error') this.error.publish(context);
      this.asyncStart.publish(context);
      this.asyncEnd.publish(context);
      return answer(value);
    };
    return Promise.resolve(this.traceSync(f, context, self, ...args))
      .then(settled('result', (value) => value), settled('error', (error) => Promise.reject(error)));
  }
  traceCallback(f, at = -1, context = {}, self, ...args) {
    const index = at < 0 ? args.length + at : at;
    const callback = args[index];
    args[index] = (error, value) => {
      context[error ? 'error' : 'result'] = error || value;
      if (error) this.error.publish(context);
      this.asyncStart.publish(context);
      callback(error, value);
      this.asyncEnd.publish(context);
    };
    return this.traceSync(f, context, self, ...args);
  }
}

module.exports = {
  Channel,
  channel,
  hasSubscribers: (name) => channels.has(name) && channel(name).hasSubscribers,
  subscribe: (name, listener) => channel(name).subscribe(listener),
  unsubscribe: (name, listener) => channel(name).unsubscribe(listener),
  tracingChannel: (names) => new TracingChannel(names),
};
