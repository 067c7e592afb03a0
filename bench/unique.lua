-- For wrk: the same opt-in of about 376 bytes again and again, each with an e-mail address of its own.
-- A static body would measure one person who opts in a million times, which is another and cheaper path.
--
--   wrk -t1 … -s unique.lua URL -- METHOD PATH SALT [SECRET_KEY]

local BODY = '{"email":"visitor-%s-%08d@example.com","name":"Dana Rivera",'
  .. '"page_url":"https://www.example.com/quote?step=3","utm_source":"search","utm_medium":"cpc",'
  .. '"utm_campaign":"spring-%s","utm_content":"headline-b","postal_code":"19103",'
  .. '"consent":{"text":"I agree to be called and texted about my request.","version":"2024-05",'
  .. '"given":true,"channels":["call","sms"]}}'

local method, path, salt, format = nil, nil, nil, string.format
sent = 0

function init(args)
  method, path, salt = args[1], args[2], args[3]
  wrk.headers['Content-Type'] = 'application/json'
  if args[4] then wrk.headers['Authorization'] = 'Bearer ' .. args[4] end
end

function request()
  sent = sent + 1
  return wrk.format(method, path, nil, format(BODY, salt, sent, salt))
end

local thread

function setup(only)
  thread = only
end

-- One line: sent, answered, answered with an error, broken connections, seconds, p50 and p99 in microseconds.
function done(summary, latency)
  local errors = summary.errors
  print(('wrk-line %d %d %d %d %.6f %d %d'):format(thread:get('sent'), summary.requests, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99)))
end
