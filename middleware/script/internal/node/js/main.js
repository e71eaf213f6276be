// Sockets of clients that were let in are the script's for as long as it holds them. So many of them in a row have one
// object in common, whose end tells that Caddy may forget those clients.
const GENERATION = 6;
const generations = new FinalizationRegistry((number) => send(FORGET, number));
let generation = { number: -1 };

function generationOf(id) {
  if (id >>> GENERATION !== generation.number) {
    generation = { number: id >>> GENERATION };
    generations.register(generation, generation.number);
  }
  return generation;
}

function collect() {
  v8.setFlagsFromString('--expose-gc');
  vm.runInNewContext('gc')();
}

// sizeOf returns the size of the frame that begins there, or 0 if it is not whole.
function sizeOf(frames, at) {
  const there = frames.length - at, kind = frames[at];
  let size = 5;
  if (there >= size && kind === LOAD) {
    size += frames.readUInt32LE(at + 1);
  } else if (kind === LOCAL || kind === DECIDE) {
    size = there < 9 ? 9 : 9 + frames[at + 8];
  }
  return there < size ? 0 : size;
}

function handle(frames, at, end) {
  const id = frames.readUInt32LE(at + 1);
  switch (frames[at]) {
    case LOAD: load(JSON.parse(frames.toString('utf8', at + 5, end))); break;
    case LOCAL: local = { address: frames.latin1Slice(at + 9, end), port: frames.readUInt16LE(at + 5) }; break;
    case DECIDE: work({
      id, address: frames.latin1Slice(at + 9, end), port: frames.readUInt16LE(at + 5), kickable: (frames[at + 7] & 1) !== 0, followed: (frames[at + 7] & 2) !== 0, local,
      generation: generationOf(id), socket: undefined, over: false, admitted: false,
    }, decideAbout); break;
    case LEFT:
    case GONE: if (clients.has(id)) {
      unowned(hangUp, clients.get(id));
    } break;
    case PING: send(PONG, id); break;
    case COLLECT: collect(); break;
  }
}

// work does something for a client, and what that leaves to be run right after, as Node does after each connection.
function work(client, f) {
  setCurrent(client);
  f(client);
  process._tickCallback?.();
  setCurrent(undefined);
}

const nothing = Buffer.alloc(0);
let unread = nothing, resuming = false;

function receive(length, buffer) {
  const data = buffer.subarray(0, length);
  unread = unread.length > 0 ? Buffer.concat([unread, data]) : data;
  handleAll();
  return true;
}

// handleAll handles the frames that have come. An error that nothing catches ends it, so that Node tells of it, and it
// is called again.
function handleAll() {
  const frames = unread;
  let at = 0, done = false;
  owners.length = 0;
  batching = true;
  resuming = false;
  try {
    for (let size; (size = sizeOf(frames, at)) > 0;) {
      at += size;
      handle(frames, at - size, at);
    }
    done = true;
  } finally {
    batching = false;
    flush();
    unread = at < frames.length ? Buffer.from(frames.subarray(at)) : nothing; // what comes next overwrites the frames
    if (!done && !resuming) {
      resuming = true;
      unowned(handleAll);
    }
  }
}

// What a script has begun to read when its run function is done comes before the first client, for a while.
let reading = 0;
const begun = ({ request }) => { reading++; request.once('close', () => reading--); };
diagnostics.subscribe?.('http.client.request.start', begun);
const reads = /^(FSReq|GetAddrInfoReq|GetNameInfoReq|Query|TCPConnect|ConnectWrap)/;
const isReading = () => reading > 0 || process.getActiveResourcesInfo().some((name) => reads.test(name));

let config = {};

async function load(settings) {
  config = settings;
  process.argv[1] = config.program;
  process.argv.length = 2;
  const main = new Module('.', null);
  main.filename = config.program;
  main.paths = Module._nodeModulePaths(path.dirname(config.program));
  main.loaded = true;
  process.mainModule = main;
  try {
    let exports = await enter(main);
    exports = typeof exports?.run === 'function' ? exports : exports?.default; // that of an ES module
    if (typeof exports?.run !== 'function') {
      throw config.path + ': module.exports.run is not a function';
    }
    await exports.run(balancer);
    for (const until = Date.now() + config.patience; isReading() && Date.now() < until;) {
      await new Promise((done) => setTimeout(done, 1));
    }
    diagnostics.unsubscribe?.('http.client.request.start', begun);
    send(READY, 0);
  } catch (error) {
    send(BROKEN, 0, describe(error));
  }
}

async function enter(main) {
  try {
    return main.require(config.path);
  } catch (error) {
    if (error?.code !== 'ERR_REQUIRE_ESM' && error?.code !== 'ERR_REQUIRE_ASYNC_MODULE') {
      throw error;
    }
  }
  return import(url.pathToFileURL(config.path).href);
}

// What a console prints goes to Caddy's log with its level.
for (const [name, level] of Object.entries({ debug: 0, log: 1, info: 1, warn: 2, error: 3 })) {
  console[name] = (...args) => {
    const line = util.format(...args);
    send(LOG, level, line.length > MOST_LOG ? line.slice(0, MOST_LOG) + '…' : line);
    flush(); // before the script hangs, or dies
  };
}
const { balancer } = shared['internal/balancer'];

for (const name of ['__filename', '__dirname', 'module', 'exports', 'require']) {
  delete globalThis[name];
}
process.on('uncaughtException', (error) => uncaught(error));
process.on('unhandledRejection', (reason, promise) => uncaught(reason, promise[owner]));
process.on('exit', flush);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {}); // Caddy says when it is time to go
}
const requests = new net.Socket({
  fd: REQUESTS, readable: true, writable: false, onread: { buffer: Buffer.allocUnsafeSlow(1 << 16), callback: receive },
});
requests.on('error', () => process.exit());
requests.on('end', () => process.exit());
fs.stat('/', () => send(HELLO, pid)); // which starts Node's threads, before Caddy measures what this process has
