-- One opt-in: read, parsed, checked, and pushed by a connection from the worker's pool.
local cjson = require "cjson.safe"
local redis = require "nginx.redis"

local TIMEOUT_MS = 1000
local IDLE_MS, POOL = 60000, 128 -- more than there are requests at once in a worker, so none connects anew

local optins = {}

local function answer(status, document)
  local body = cjson.encode(document)
  ngx.status = status
  ngx.header.content_type = "application/json"
  ngx.header.content_length = #body
  ngx.print(body)
end

function optins.post(address)
  ngx.req.read_body()
  local optin = cjson.decode(ngx.req.get_body_data())
  if type(optin) ~= "table" or type(optin.email) ~= "string" then
    return answer(400, { error = "an opt-in with an email is wanted" })
  end

  local client = redis:new()
  client:set_timeout(TIMEOUT_MS)
  local ok, why = client:connect(address)
  if ok then
    ok, why = client:lpush("optins", cjson.encode(optin))
  end
  if not ok then
    ngx.log(ngx.ERR, "redis: ", why)
    return answer(503, { error = "try later" })
  end
  client:set_keepalive(IDLE_MS, POOL)
  answer(202, { accepted = true })
end

return optins
