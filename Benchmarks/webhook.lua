-- webhook.lua BODIES FIRST: signed push events for wrk, each delivery with an id of its own.
local requests, number = {}, 0

function init(words)
    number = tonumber(words[2])
    for line in io.lines(words[1]) do
        local signature, body = line:match("^(%x+) (.*)$")
        requests[#requests + 1] = {
            "POST /hooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                .. "X-GitHub-Event: push\r\nX-Hub-Signature-256: sha256=" .. signature
                .. "\r\nContent-Length: " .. #body .. "\r\nX-GitHub-Delivery: 00000000-0000-4000-8000-",
            "\r\n\r\n" .. body,
        }
    end
end

function request()
    number = number + 1
    local request = requests[number % #requests + 1]
    return request[1] .. string.format("%012d", number) .. request[2]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        "accepted=%d failed=%d rate=%.0f p50=%.3f p99=%.3f\n", summary.requests - errors.status,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout,
        (summary.requests - errors.status) / summary.duration * 1e6, latency:percentile(50) / 1000,
        latency:percentile(99) / 1000))
end
