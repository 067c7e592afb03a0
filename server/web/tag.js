/* <script src="https://HOST/t.js" data-site="pk_..." defer></script> sends <form data-site>;
 * one with action /f/pk_... is only completed. */
(function (w, d) {
  var me = d.currentScript, base = me.src.split("/t.js")[0], born = Date.now(), open = {}, kept = {};
  try { kept = JSON.parse(sessionStorage.getItem("hotlead")) || {}; } catch (e) {}
  new URLSearchParams(location.search).forEach(function (v, k) { if (/^(utm_\w+|gclid|fbclid)$/.test(k)) kept[k] = v; });
  kept.referrer = kept.referrer || d.referrer;
  try { sessionStorage.setItem("hotlead", JSON.stringify(kept)); } catch (e) {}
  d.addEventListener("submit", function (e) {
    var f = e.target, o = {page_url: location.href, _t: Date.now() - born}, k;
    o.event_id = w.crypto && crypto.randomUUID ? crypto.randomUUID() : "" + (born + Math.random());
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
      if (!i.name || /password|file|submit|button|reset|image/.test(i.type) || (/checkbox|radio/.test(i.type) && !i.checked)) return;
      o[i.name] = o[i.name] && i.type == "checkbox" ? [].concat(o[i.name], i.value) : i.value;
    });
    k = o.event_id;
    open[k] = [base + "/v1/optins?key=" + (f.getAttribute("data-site") || me.getAttribute("data-site")), JSON.stringify(o)];
    fetch(open[k][0], {method: "POST", body: open[k][1], keepalive: true, credentials: "omit"}).then(function (r) {
      var s = r.status;
      if (s < 500 && s != 429) delete open[k];
      return r.ok || r.json().then(function (p) { console.warn("hotlead", s, p.code); });
    }).catch(Object);
  }, true);
  w.addEventListener("pagehide", function () {
    for (var k in open) navigator.sendBeacon(open[k][0], open[k][1]);
  });
})(window, document);
