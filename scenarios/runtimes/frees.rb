# As it is told on stdin: `fill MIB SIZE` (strings), `small MIB` (arrays), `free`, `gc`, `compact`.
# Each is answered with `done`.
$objects = []
$stdout.sync = true
while (line = $stdin.gets)
  word, a, b = line.split
  case word
  when 'fill' then $objects = Array.new((a.to_i << 20) / b.to_i) { 'x' * b.to_i }
  when 'small' then $objects = Array.new((a.to_i << 20) / 48) { |i| [i] }
  when 'free' then $objects = []
  when 'gc' then GC.start
  when 'compact' then GC.compact
  end
  puts 'done'
end
