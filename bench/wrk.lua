-- Arguments after --: a file with one path a line, how many lines to pass over first, how many to take.
-- Prints one JSON object: what was answered, how fast, and the CPU seconds wrk itself used meanwhile.

local threads = {}

-- What a browser sends with an image or a link of a mail it shows.
local head = " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
  .. "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
  .. "Chrome/126.0.0.0 Safari/537.36\r\n"
  .. "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
  .. "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: ja,en-US;q=0.9,en;q=0.8\r\n\r\n"

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  paths, place = {}, 0
  local skip, take = tonumber(args[2]), tonumber(args[3])
  for line in io.lines(args[1]) do
    if skip > 0 then
      skip = skip - 1
    elseif take > 0 then
      take = take - 1
      paths[#paths + 1] = line
    end
  end
  count = #paths
  loaded_cpu = os.clock()
end

function request()
  place = place % count + 1
  return "GET " .. paths[place] .. head
end

function done(summary, latency, requests)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\nRESULT {"answers": %d, "bad_status": %d, "lost": %d, "seconds": %.6f, "p99_ms": %.3f, "cpu_s": %.3f}\n',
    summary.requests, errors.status, lost, summary.duration / 1e6, latency:percentile(99) / 1e3,
    os.clock() - threads[1]:get("loaded_cpu")))
end
