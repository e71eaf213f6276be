'use strict';

const EventEmitter = require('events');

// What module.exports.run gets: as much of a LoadBalancer as can be honoured.
class LoadBalancer extends EventEmitter {}

Object.assign(LoadBalancer.prototype, binding);
LoadBalancer.prototype.MIDDLEWARE_CONNECTION = 'connection';
LoadBalancer.prototype.close = function () {
  throw new Error('balancer.close: not available here: a script cannot stop the balancer');
};

// An 'error' nobody listens to is in the log already.
LoadBalancer.prototype._notify = function (name, value) {
  if (this.listenerCount(name) > 0) {
    this.emit(name, value);
  }
};

// The constructor would give it a list of listeners, of which events are told though nobody listens.
module.exports = Object.create(LoadBalancer.prototype);
