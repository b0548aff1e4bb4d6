"""Queries that a real Prometheus and ours must answer alike."""

R = 'requests_total{service="front"}'

INSTANT = f"""
requests_total
{R}
requests_total{{code=~"5.."}}
requests_total{{code!~"5..|404",revision!="old"}}
{{__name__=~"req.*",revision="new"}}
requests_total{{namespace=""}}
requests_total offset 2m
requests_total offset -1m
requests_total @ 1700000400
requests_total @ end() offset 1m
load
early
constant
tiny
huge
absent_metric
sum(rate({R}[1m]))
rate(requests_total[1m])
rate(requests_total[5m])
rate(requests_total[7s])
rate(requests_total[4s])
rate(requests_total[10m])
rate(requests_total[2m] offset 3m)
rate(requests_total[90s] @ 1700000500)
irate(requests_total[1m])
irate(requests_total[5m])
increase(requests_total[1m])
increase(requests_total[3m] offset 30s)
increase(requests_total{{revision="new"}}[6m])
delta(load[2m])
delta(load{{host="c"}}[2m])
idelta(load[2m])
deriv(load[5m])
deriv(constant[10m])
predict_linear(load{{host!="c"}}[5m], 600)
changes(load[10m])
resets(requests_total[10m])
changes(constant[15m])
avg_over_time(load[5m])
min_over_time(load[5m])
max_over_time(load[5m])
sum_over_time(load[5m])
count_over_time(load[5m])
last_over_time(load[5m])
present_over_time(load[5m])
stddev_over_time(load{{host="b"}}[5m])
stdvar_over_time(load{{host="b"}}[5m])
quantile_over_time(0.9, load[5m])
quantile_over_time(1.5, load[5m])
quantile_over_time(-1, load[5m])
absent_over_time(load[5m])
absent_over_time(nothing{{a="b",c=~"d"}}[5m])
absent(nothing)
absent(nothing{{a="b",c="d",c="e"}})
absent(load)
absent(sum(nothing{{a="b"}}))
sum(load)
avg(load{{host!="c"}})
min(load)
max(load)
count(load)
group(load) by (rack)
sum by (rack) (load)
sum without (host) (load)
sum(load) without (rack)
sum by (nothing) (load)
avg by (rack, host) (load)
stddev(load{{host!="c"}})
stdvar by (rack) (load)
quantile(0.5, load{{host!="c"}})
quantile by (rack) (0.25, load)
topk(2, load)
topk(1, load) by (rack)
bottomk(1, requests_total)
bottomk(5, load)
topk(0, load)
count_values("v", capacity)
count_values by (rack) ("v", load)
count by (code) (requests_total)
histogram_quantile(0.95, rate(duration_bucket[1m]))
histogram_quantile(0.5, sum by (le) (rate(duration_bucket[5m])))
histogram_quantile(0.99, sum by (le, revision) (increase(duration_bucket[2m])))
histogram_quantile(0, duration_bucket)
histogram_quantile(1, duration_bucket)
histogram_quantile(1.1, duration_bucket)
histogram_quantile(-0.1, duration_bucket)
histogram_quantile(0.9, duration_bucket{{le!="+Inf"}})
histogram_quantile(0.9, requests_total)
sum(rate(requests_total{{code=~"5.."}}[2m])) / sum(rate(requests_total[2m]))
sum by (revision) (rate(requests_total{{code="500"}}[2m])) / sum by (revision) (rate(requests_total[2m]))
load / on(rack) group_left capacity
load / on(rack) group_left(owner) capacity
capacity / on(rack) group_right(owner) load
capacity * on(rack) group_right load
requests_total{{code="500"}} / ignoring(code) requests_total{{code="200"}}
requests_total{{code="500"}} > ignoring(code) requests_total{{code="200"}}
requests_total{{code="500"}} < bool ignoring(code) requests_total{{code="200"}}
requests_total > 100
requests_total > bool 100
100 < requests_total
100 >= bool requests_total
requests_total == requests_total
requests_total != bool requests_total
load != load
load and on(rack) capacity{{owner="x"}}
load unless on(rack) capacity{{owner="x"}}
load or capacity
load{{host="a"}} or on(rack) capacity
requests_total and load
sum(load) or vector(0)
sum(nothing) or vector(0)
load + 1
1 - load
load * 2 ^ 3 ^ 0.5
-load
-load ^ 2
+load
load % 7
-5 % 3
5 % 0
1 / 0
-1 / 0
0 / 0
load / 0
2 ^ 1000 * 2 ^ 100
1 == bool 1
1 > bool 2
1 + 2 * 3 - 4 / 2
-2 ^ 2
0x1f + 017 + 1e3 + .5
Inf
-Inf
NaN
NaN == bool NaN
"a string"
'it\\'s \\x41 \\u00e9'
time()
vector(1)
vector(time())
scalar(capacity)
scalar(capacity{{rack="1"}})
vector(scalar(capacity{{rack="2"}})) + 1
clamp(load, -10, 20)
clamp(load, 20, -10)
clamp_min(load, 0)
clamp_max(load, 1)
round(load)
round(load, 0.5)
round(load, 10)
abs(load)
ceil(load)
floor(load)
exp(load / 100)
ln(load)
log2(load)
log10(abs(load))
sqrt(load)
sgn(load)
sort(load)
sort_desc(load)
timestamp(load)
timestamp(load + 1)
timestamp(constant)
label_replace(load, "machine", "$1-x", "host", "(.*)")
label_replace(load, "machine", "${{h}}", "host", "(?P<h>[ab])")
label_replace(load, "host", "", "host", "a")
label_replace(load, "rack", "all", "nothing", "")
label_replace(load, "__name__", "burden", "host", ".*")
label_join(load, "place", "/", "rack", "host")
label_join(load, "place", "-")
day_of_month()
day_of_week(vector(1700000000))
day_of_year()
days_in_month(vector(1709200000))
hour()
minute(vector(-61))
month()
year(vector(1e9))
max_over_time(sum(rate(requests_total[1m]))[5m:30s])
avg_over_time(load{{host="b"}}[5m:])
rate(sum(requests_total)[5m:10s])
min_over_time(rate(requests_total[1m])[4m:1m] offset 1m)
count_over_time(vector(1)[5m:1m] @ 1700000700)
sum(count_over_time(load[1m])) by (rack) > 3
((load))
SUM BY (rack) (load)
sum by (rack,) (load)
load{{host="a",}}
# a comment
load # and another
pi()
""".strip().splitlines()

INSTANT = [query for query in INSTANT if not query.startswith("#")]

FAILING = """
load + on(rack) capacity
requests_total / ignoring(code) requests_total
load / on(rack) group_left load
label_replace(load, "host", "same", "host", ".*")
label_replace(load, "1x", "same", "host", ".*")
label_replace(load, "x", "same", "host", "(")
label_join(load, "1x", "-", "host")
topk(NaN, load)
{__name__=~"constant|huge"} * 2
-{__name__=~"constant|huge"}
rate({__name__=~"constant|huge"}[10m])
abs({__name__=~"constant|huge"})
""".strip().splitlines()

WRONG = r"""
time()[3m:1m]
load[
load[5m
load[5x]
load[0s]
load[5m:1m
(load
load)
sum(load
sum()
sum(load, load)
topk(load)
rate(load)
rate(load[5m], 1)
round()
round(load, 1, 2)
label_join(load)
clamp(load, 1)
nothing(load)
load{
load{host
load{host=
load{host=a}
load{host="a" rack="b"}
load{host="a
load{host=~"("}
load{__name__="x"}
{}
{host=""}
{host=~".*"}
1 > 2
load and 1
1 or load
load and on(host) group_left capacity
load + on(host) group_left(host) capacity
1 + on(host) 2
load > bool
load + bool 2
load + "a"
"a" + "b"
-"a"
load[5m] + 1
sum(load[5m])
topk("a", load)
count_values(1, load)
load[5m][5m]
load offset
load offset 5
load offset 1m offset 2m
sum(load) offset 1m
load @
load[5m:1m][1m]
(load[5m])[5m:1m]
1h
load $
load 1
load load
+
load +
sum by load
sum by (1) (load)
sum by (a b) (load)
rate(load[5m] offset 1m,)
histogram_quantile(load, load)
absent(1)
5m
09x
load ! 1
""".strip("\n").splitlines()
