// As it is told on stdin: `fill MIB SIZE` (objects of V8's heap), `buffers MIB SIZE`, `free`, `gc`.
// Each is answered with `done`.
let objects = [];
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [word, mib, size] = line.trim().split(' ');
  const count = Math.floor((Number(mib) * 1048576) / Number(size));
  if (word === 'fill') {
    for (let i = 0; i < count; i++) objects.push(new Array(Math.floor(size / 8)).fill(i + 0.5));
  } else if (word === 'buffers') {
    for (let i = 0; i < count; i++) objects.push(Buffer.alloc(Number(size), 1));
  } else if (word === 'free') {
    objects = [];
  } else if (word === 'gc') {
    global.gc();
  }
  console.log('done');
});
