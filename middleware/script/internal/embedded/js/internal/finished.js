'use strict';

const { coded } = require('internal/errors');

// stream.finished and stream.pipeline; the result is stream.promises.
module.exports = (Stream) => {
  function finished(stream, options, callback) {
    if (typeof options === 'function') [callback, options] = [options, {}];
    const reads = stream._readableState && (!options || options.readable !== false);
    const writes = stream._writableState && (!options || options.writable !== false);
    let over = false;
    const done = (error) => {
      if (over) return;
      over = true;
      clean();
      callback(error);
    };
    const look = () => {
      if (!(reads && !stream.readableEnded) && !(writes && !stream.writableFinished)) done();
    };
    const close = () => {
      look();
      done(stream.errored || coded(Error, 'ERR_STREAM_PREMATURE_CLOSE', 'Premature close'));
    };
    const clean = () => stream.removeListener('end', look).removeListener('finish', look).removeListener('error', done).removeListener('close', close);
    stream.on('end', look).on('finish', look).on('error', done).on('close', close);
    if (stream.closed) process.nextTick(close);
    return clean;
  }

  function pipeline(...streams) {
    const callback = typeof streams[streams.length - 1] === 'function' ? streams.pop() : () => {};
    if (streams.length === 1 && Array.isArray(streams[0])) [streams] = streams;
    let left = streams.length;
    let failure;
    streams.forEach((stream, at) => {
      const last = at === streams.length - 1;
      finished(stream, { readable: !last, writable: at > 0 }, (error) => {
        if (error && !failure) {
          failure = error;
          streams.forEach((other) => other.destroy());
        }
        if (--left === 0) callback(failure);
      });
      stream.on('error', () => {});
      if (!last) stream.pipe(streams[at + 1]);
    });
    return streams[streams.length - 1];
  }

  Object.assign(Stream, { finished, pipeline });
  const promised = (call) => (...args) => new Promise((resolve, reject) => {
    call(...args, (error) => (error ? reject(error) : resolve()));
  });
  for (const call of [finished, pipeline]) call[Symbol.for('nodejs.util.promisify.custom')] = promised(call);
  return { finished: promised(finished), pipeline: promised(pipeline) };
};
