'use strict';

const EventEmitter = require('events');
const { StringDecoder } = require('string_decoder');

const ends = /\r?\n|\r|\u2028|\u2029/;
const most = 1024; // lines that wait for whoever iterates

// The lines of a stream.
class Interface extends EventEmitter {
  constructor(input, output) {
    super();
    const options = input && input.input ? input : { input, output };
    const decoder = new StringDecoder('utf8');
    let rest = '';
    let halved = false; // the text so far ends with half of a \r\n
    const line = (text) => this.emit('line', text); // what came at once is passed on to its end, also when one closes it
    const data = (chunk) => {
      let text = rest + (typeof chunk === 'string' ? chunk : decoder.write(chunk));
      if (text === '') return;
      if (halved && text[0] === '\n') text = text.slice(1);
      halved = text.endsWith('\r');
      const lines = text.split(ends);
      rest = lines.pop();
      lines.forEach(line);
    };
    const end = () => {
      rest += decoder.end();
      if (rest !== '') line(rest);
      this.close();
    };
    Object.assign(this, { input: options.input, output: options.output, terminal: false, closed: false, line: '' });
    Object.defineProperty(this, '_leave', { value: () => this.input.removeListener('data', data).removeListener('end', end) });
    this.input.on('end', end).on('data', data);
    if (options.signal) options.signal.addEventListener('abort', () => this.close());
  }
  pause() {
    if (!this.closed && !this.paused) {
      this.paused = true;
      this.input.pause();
      this.emit('pause');
    }
    return this;
  }
  resume() {
    if (!this.closed && this.paused) {
      this.paused = false;
      this.input.resume();
      this.emit('resume');
    }
    return this;
  }
  close() {
    if (this.closed) return;
    this.pause();
    this.closed = true;
    this._leave();
    this.emit('close');
  }
  setPrompt() {}
  prompt() {}
  write() {}
  question() { throw new Error('readline.question: nobody answers a balancer script'); }
  [Symbol.asyncIterator]() {
    let lines = [];
    let at = 0; // taking them off the front would cost the square of their number
    let wake = () => {};
    this.on('line', (text) => {
      lines.push(text);
      if (lines.length - at > most) this.pause();
      wake();
    });
    this.on('close', () => wake());
    return {
      next: async () => {
        while (at === lines.length && !this.closed) {
          [lines, at] = [[], 0];
          this.resume();
          await new Promise((resolve) => { wake = resolve; });
        }
        return at < lines.length ? { value: lines[at++], done: false } : { value: undefined, done: true };
      },
      return: async () => {
        this.close();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]() { return this; },
    };
  }
}

module.exports = {
  Interface,
  createInterface: (input, output) => new Interface(input, output),
  promises: { Interface, createInterface: (input, output) => new Interface(input, output) },
};
