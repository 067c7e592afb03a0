/* <script src="https://HOST/t.js" data-site="pk_..." defer></script> sends what is entered into
 * <form data-site>; one with action /f/pk_... is only completed. */
(function (w, d) {
  var me = d.currentScript, base = me.src.split("/t.js")[0], born = Date.now(), open = {}, kept = {};
  var wanted = /^(utm_\w+|gclid|fbclid)$/;
  try { kept = JSON.parse(sessionStorage.getItem("hotlead")) || {}; } catch (e) {}
  new URLSearchParams(location.search).forEach(function (v, k) { if (wanted.test(k)) kept[k] = v; });
  kept.referrer = kept.referrer || d.referrer;
  try { sessionStorage.setItem("hotlead", JSON.stringify(kept)); } catch (e) {}
  function id() { return w.crypto && crypto.randomUUID ? crypto.randomUUID() : "" + (born + Math.random()); }
  function post(key) {
    var it = open[key];
    fetch(it[0], {method: "POST", body: it[1], keepalive: true, credentials: "omit"})
      .then(function (r) { if (r.status < 500) delete open[key]; }, Object);
  }
  d.addEventListener("submit", function (e) {
    var f = e.target, o = {event_id: id(), page_url: location.href, _t: Date.now() - born}, k;
    if (!f.hasAttribute("data-site")) return;
    for (k in kept) if (kept[k]) o[k] = kept[k];
    if (/\/f\/pk_/.test(f.getAttribute("action"))) {
      for (k in o) if (!f.elements[k]) {
        var i = d.createElement("input");
        i.type = "hidden"; i.name = k; i.value = o[k]; f.appendChild(i);
      }
      return;
    }
    [].forEach.call(f.elements, function (i) {
      if (!i.name || /^(password|file|submit|button|reset|image)$/.test(i.type) || (/^(checkbox|radio)$/.test(i.type) && !i.checked)) return;
      o[i.name] = o[i.name] && i.type == "checkbox" ? [].concat(o[i.name], i.value) : i.value;
    });
    k = o.event_id;
    open[k] = [base + "/v1/optins?key=" + (f.getAttribute("data-site") || me.getAttribute("data-site")), JSON.stringify(o)];
    post(k);
  }, true);
  w.addEventListener("pagehide", function () {
    for (var k in open) navigator.sendBeacon(open[k][0], open[k][1]);
  });
})(window, document);
