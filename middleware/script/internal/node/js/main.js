const { balancer, decide, local, left, uncaught, load } = shared['internal/balancer'];
Object.setPrototypeOf(shared['internal/socket'].Socket.prototype, net.Socket.prototype);

// endOf returns where the frame ends that begins there, which may be beyond what has come, or NaN if not even its length has.
const endOf = (frames, at) => at + 9 + frames[at + 8];

function handle(frames, at, end) {
  const id = frames.readUInt32LE(at + 1);
  switch (frames[at]) {
    case LOAD: begin(); break;
    case LOCAL: local(frames.latin1Slice(at + 9, end), frames.readUInt16LE(at + 5), id); break;
    case DECIDE: decideAbout(id, frames.latin1Slice(at + 9, end), frames.readUInt16LE(at + 5), frames[at + 7]); break;
    case LEFT: unowned(left, id); break;
    case PING: send(PONG, id); break;
  }
}

// decideAbout asks about a client, and does what that leaves to be run right after, as Node does after each connection.
function decideAbout(id, address, port, flags) {
  setCurrent(id);
  const answer = decide(id, address, port, flags);
  if (answer === true) {
    native.allow(id);
  } else if (answer !== undefined) {
    native.block(id, answer);
  }
  process._tickCallback?.();
  setCurrent(0);
}

const nothing = Buffer.alloc(0);
let unread = nothing;

function receive(length, buffer) {
  const data = buffer.subarray(0, length);
  unread = unread.length > 0 ? Buffer.concat([unread, data]) : data;
  handleAll();
  return true;
}

// handleAll handles the frames that have come. An error that nothing catches ends it, so that Node tells of it, and it
// is called again for those that are left.
function handleAll() {
  const frames = unread;
  let at = 0;
  owners.length = 0;
  batching = true;
  try {
    for (let end; (end = endOf(frames, at)) <= frames.length;) {
      const start = at;
      at = end;
      handle(frames, start, end);
    }
  } finally {
    batching = false;
    flush();
    unread = at < frames.length ? Buffer.from(frames.subarray(at)) : nothing; // what comes next overwrites the frames
    if (endOf(unread, 0) <= unread.length) {
      unowned(handleAll);
    }
  }
}

// What a script has begun to read when its run function is done comes before the first client, for a while.
let reading = 0;
const begun = ({ request }) => { reading++; request.once('close', () => reading--); };
diagnostics.subscribe?.('http.client.request.start', begun);
const reads = /^(FSReq|GetAddrInfoReq|GetNameInfoReq|Query|TCPConnect|ConnectWrap)/;

function isReading() {
  return reading > 0 || process.getActiveResourcesInfo().some((name) => reads.test(name));
}

const [script, programPath, patience] = process.argv.splice(2);
const program = new Module('.', null);

function begin() {
  program.filename = process.argv[1] = programPath;
  program.paths = Module._nodeModulePaths(path.dirname(programPath));
  program.loaded = true;
  process.mainModule = program;
  load(script, Number(patience));
}

async function enter(path) {
  try {
    return program.require(path);
  } catch (error) {
    if (error?.code !== 'ERR_REQUIRE_ESM' && error?.code !== 'ERR_REQUIRE_ASYNC_MODULE') {
      throw error;
    }
  }
  return import(url.pathToFileURL(path).href);
}

// What a console prints goes to Caddy's log with its level.
for (const [name, level] of Object.entries({ debug: 0, log: 1, info: 1, warn: 2, error: 3 })) {
  console[name] = (...args) => {
    const line = util.format(...args);
    send(LOG, level, line.length > MOST_LOG ? line.slice(0, MOST_LOG) + '…' : line);
    flush(); // before the script hangs, or dies
  };
}
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
