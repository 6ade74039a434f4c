"""Styles of the page; the plots take their colours from here."""

STYLE = """
:root{--ink:#22303a;--soft:#5b6a75;--rule:#e3e8eb;--main:#00796b;--second:#c77700;--bad:#b23a48;
--paper:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e4eaee;--soft:#9aa8b2;--rule:#33414b;--main:#4db6ac;
--second:#e6a23c;--bad:#e57380;--paper:#182026}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 2px;padding-top:14px;
border-top:1px solid var(--rule)}
p{color:var(--soft);max-width:80ch;margin:4px 0 14px}a{color:var(--main)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;
font-variant-numeric:tabular-nums}
th{font-weight:600;color:var(--soft);vertical-align:bottom}
th,td{text-align:right;padding:5px 10px;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{text-align:left;white-space:nowrap}td{white-space:nowrap}
.plots{display:flex;flex-wrap:wrap;gap:8px 28px}figure{margin:0 0 12px;width:360px;
max-width:100%}svg{max-width:100%;height:auto}@media (max-width:480px){main{padding:16px}}
figcaption{font-size:12.5px;color:var(--soft)}
svg text{fill:var(--soft);font:11px system-ui,sans-serif}
svg .label{fill:var(--ink)}svg .mid{text-anchor:middle}svg .end{text-anchor:end}
.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.ideal{stroke:var(--soft);stroke-dasharray:4 4}
polyline{fill:none;stroke-width:1.8}polyline.main{stroke:var(--main)}
polyline.second{stroke:var(--second)}polyline.axis,polyline.ideal{stroke-width:1}
circle.main{fill:var(--main)}circle.second{fill:var(--second)}
circle.faint{fill:var(--main);fill-opacity:.45}
rect.right,rect.bar{fill:var(--main)}rect.wrong{fill:var(--bad)}
rect.count{fill:var(--soft);fill-opacity:.18}
b.main{color:var(--main)}b.second{color:var(--second)}
"""
