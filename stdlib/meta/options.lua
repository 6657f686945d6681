---@meta _
-- Annotations for editors: the options of everything that `require "evalua"` offers. Never run. A test compares them
-- with the schemas that check them.

---Options that every scorer takes.
---@class evalua.common_scorer_options
---@field id? string names it in results and rules
---@field name? string for people; the id where absent
---@field description? string
---@field higher_is_better? boolean default true
---@field pass? number|fun(score: number?, label: string?): boolean passes at this score or better
---@field on_error? number|boolean|fun(run: evalua.run): any for failed targets: a score, true or function(run)
---@field timeout? number|string for one scoring
---@field version? string|number stands for the definition; a digest of it where absent

---Options of a parallel step of eval.workflow.
---@class evalua.workflow_parallel
---@field parallel evalua.workflow_step[] steps that run at the same time

---Options of a step of eval.workflow.
---@class evalua.workflow_step
---@field id string names its output: context.steps[id]
---@field run fun(input: any, context: evalua.workflow_context): any run(input, context) -> output
---@field when? fun(input: any, context: evalua.workflow_context): boolean left out unless it returns true

---Options of dataset:items.
---@class evalua.dataset_items_options
---@field version? integer|string a version or an alias; default the latest
---@field page? integer one page, counted from 0
---@field per_page? integer items of a page (default 20)
---@field search? string only items with this text in input or ground truth
---@field where? string|fun(item: evalua.item): boolean a Lua expression over the item's fields, or a predicate
---@field ids? string[] only these items

---Options of eval.command.
---@class evalua.command_options
---@field id string the target's name
---@field argv string[] program and arguments; no shell is involved
---@field stdin? "text"|"json"|fun(input: any, item: evalua.item): string
---@field stdout? "text"|"json"|"result"|fun(text: string, item: evalua.item): any, evalua.info?
---@field mode? "oneshot"|"persistent" one run per item, or a pool (default oneshot)
---@field processes? integer most programs alive at once in one worker (default 200)
---@field cwd? string working directory, from the directory of the script that says it
---@field env? table<string, string|false> variables added to the environment; false removes one
---@field request? fun(input: any, item: evalua.item): string persistent: function(input, item) -> line to send
---@field response? fun(read_line: (fun(): string?), input: any, item: evalua.item): any, evalua.info?
---@field ready? fun(read_line: fun(): string?) persistent: function(read_line), called once after start for a banner
---@field timeout? number|string for one item; the program is killed
---@field cache? boolean|evalua.cache_mode true: answers are kept and used again, in the run's mode or else "use"
---@field max_output? integer|string limit output_bytes for one item (default 10485760)
---@field version? string|number stands for the definition instead of its digest

---Options of eval.csv.
---@class evalua.csv_options
---@field delimiter? string one character between the cells (default ,)

---Options of eval.dataset.
---@class evalua.dataset_options
---@field name string unique in the store
---@field description? string
---@field metadata? table<string, any> anything about the dataset
---@field tags? table a list of strings, or a table of them
---@field items? evalua.item[]|evalua.source|fun(): (evalua.item[]|fun(): evalua.item?)
---@field file? string a .csv, .tsv or .jsonl file instead of items
---@field mapping? evalua.mapping which columns of the file make which fields
---@field version? string|number stands for the definition instead of its digest
---@field target? any the target for experiments that name none
---@field scorers? evalua.scorer_list for experiments that name none
---@field input_schema? table<string, any> JSON Schema of inputs (not available yet)
---@field ground_truth_schema? table<string, any> JSON Schema of ground truths (not available yet)

---Options of eval.datasets.create.
---@class evalua.datasets_create_options
---@field name string unique in the store
---@field description? string
---@field metadata? table<string, any>
---@field tags? table a list of strings, or a table of them
---@field input_schema? table<string, any> JSON Schema of inputs (not available yet)
---@field ground_truth_schema? table<string, any> JSON Schema of ground truths (not available yet)
---@field target? string id of the target for experiments that name none
---@field scorers? string[] ids of the scorers for experiments that name none

---Options of eval.datasets.get.
---@class evalua.datasets_get_options
---@field name? string the dataset's name
---@field id? string the dataset's id

---Options of eval.datasets.list.
---@class evalua.datasets_list_options
---@field name? string only that name
---@field tags? string[] only those with all these tags
---@field experiment? string only the one that this experiment ran

---Options of eval.experiment.
---@class evalua.experiment_options
---@field name string names it in reports, on the command line and in baselines
---@field variant? string|table a name, or the record of eval.matrix
---@field description? string
---@field metadata? table<string, any> kept with the experiment
---@field tags? table a list of strings, or a table of them
---@field dataset string|evalua.dataset|evalua.stored_dataset|evalua.item[]
---@field version? integer|string version or alias of the dataset; default the latest
---@field items? string[]|fun(item: evalua.item): boolean ids, or a predicate of the item
---@field target? string|evalua.target|evalua.run_function without one the items' output is scored
---@field target_id? string the target by its id
---@field target_type? "agent"|"command"|"function"|"http"|"processor"|"scorer"|"workflow" the kind of target_id
---@field scorers? evalua.scorer_list|{ agent: evalua.scorer_list?, workflow: evalua.scorer_list? }
---@field metrics? table<string, evalua.metric|fun(results: evalua.result[]): number|table|nil> over all results
---@field slices? string[] fields to group by, such as "metadata.lang"
---@field cluster? string field whose equal values belong together, such as "metadata.document"
---@field context? any for all targets and scorers; of two objects the item's fields win
---@field max_concurrency? integer items in flight over all workers (default 5)
---@field item_timeout? number|string for one attempt at an item
---@field timeout? number|string for the whole experiment
---@field max_retries? integer further attempts at a failed item (default 0)
---@field max_failures? number so many failed items end the run: a share below 1, a count from 1 on
---@field tolerance? number failed items accepted: a share below 1, a count from 1 on
---@field memory_per_worker? integer|string of Lua in one worker, beyond what it began with (default 1 GiB)
---@field limits? evalua.limits_options of items and of the run: tokens, cost, memory and more
---@field trials? integer|evalua.trials_options times that each item runs
---@field seed? integer of math.random in items
---@field cache? boolean|evalua.cache_mode|evalua.cache_choice of requests; default off
---@field signal? evalua.signal what eval.signal() returned; aborting it ends the run
---@field rules? evalua.rule[] what must hold: eval.rules and eval.rule
---@field baseline? string the run or file to compare with
---@field setup? fun(): any before the first item; what it returns is item.setup
---@field teardown? fun(setup: any) after the last item, whatever happened
---@field after_each? fun(result: table, setup: any) after_each(result, setup), in item order
---@field worker_setup? fun(setup: any): any once in each worker; what it returns is item.worker
---@field before_each? fun(item: evalua.item) before_each(item), in its worker, before each attempt

---How requests use the cache: off; use and keep; only keep; only use, where a miss is an error.
---@alias evalua.cache_mode "off"|"use"|"refresh"|"replay"

---What eval.experiment { cache = } may be besides a mode.
---@class evalua.cache_choice
---@field mode? boolean|evalua.cache_mode default "use"
---@field file? string a cassette (*.jsonl) or a cache database, from the directory of the suite

---Options of eval.experiment.limits.
---@class evalua.limits_options
---@field tokens? integer of one attempt at an item, input and output together
---@field cost? number of one attempt at an item
---@field steps? integer of an agent in one attempt at an item
---@field run_tokens? integer of the whole run: more ends it unjudged
---@field run_cost? number of the whole run: more ends it unjudged
---@field output_bytes? integer|string of one output as JSON (default 64 MiB)
---@field memory_per_worker? integer|string of Lua in one worker, beyond what it began with (default 1 GiB)
---@field rss_per_worker? integer|string of one worker process, beyond what it began with (default 2 GiB)
---@field processes? integer that eval.spawn has running at once for one item (default 100)
---@field requests? integer that one item has open at once (default 1000)

---Options of eval.experiment.trials.
---@class evalua.trials_options
---@field count integer times that each item runs
---@field reducer? evalua.reducer one of eval.reducers; default mean

---Options of eval.experiments.compare.
---@class evalua.experiments_compare_options
---@field margin? number how much worse still is no worse
---@field alpha? number level of the tests; default 1 - confidence
---@field confidence? number of the intervals; default 0.95
---@field cluster? string|false field whose equal values belong together; default that of the run; false: none
---@field scorer? string|string[] only this scorer or metric, or these
---@field by? string[] also by the values of fields, such as "metadata.lang"
---@field across_datasets? boolean runs over different datasets, too, paired by item id alone
---@field limit? integer most regressions and improvements listed per scorer

---Options of eval.experiments.list.
---@class evalua.experiments_list_options
---@field name? string only that name
---@field variant? string only that variant
---@field status? "pending"|"running"|"completed"|"failed"|"cancelled"|"interrupted"
---@field limit? integer how many, newest first (default 100)

---Options of eval.fail.
---@class evalua.fail_options
---@field message? string what went wrong
---@field permanent? boolean true: a retry cannot help
---@field code? string a short name of the cause, kept with the result

---Options of eval.metrics.accuracy.
---@class evalua.metrics_accuracy_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.precision.
---@class evalua.metrics_precision_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field average? string|number|boolean "macro" (default), "micro", "weighted", or the one label that counts

---Options of eval.metrics.recall.
---@class evalua.metrics_recall_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field average? string|number|boolean "macro" (default), "micro", "weighted", or the one label that counts

---Options of eval.metrics.f1.
---@class evalua.metrics_f1_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field average? string|number|boolean "macro" (default), "micro", "weighted", or the one label that counts

---Options of eval.metrics.kappa.
---@class evalua.metrics_kappa_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field weights? "none"|"linear"|"quadratic" how much a disagreement counts; default none: all alike
---@field labels? any[] all labels in their order; numbers are in order without it

---Options of eval.metrics.alpha.
---@class evalua.metrics_alpha_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field level? "nominal"|"ordinal"|"interval" default nominal
---@field labels? any[] all labels in their order; numbers are in order without it

---Options of eval.metrics.pearson.
---@class evalua.metrics_pearson_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.spearman.
---@class evalua.metrics_spearman_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.kendall.
---@class evalua.metrics_kendall_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.mae.
---@class evalua.metrics_mae_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.rmse.
---@class evalua.metrics_rmse_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared

---Options of eval.metrics.calibration_error.
---@class evalua.metrics_calibration_error_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field bins? integer equal bins of probability; default 10
---@field positive? any the truth that counts as 1; default true and 1

---Options of eval.metrics.auc.
---@class evalua.metrics_auc_options
---@field prediction? string|fun(result: evalua.result): any what is measured; default "output"
---@field truth? string|fun(result: evalua.result): any what is right; default "ground_truth"
---@field scorers? string[] the labels, else the scores, of these two scorers are compared
---@field positive? any the truth that counts as 1; default true and 1

---Options of eval.param.
---@class evalua.param_options
---@field name string the NAME of -p NAME=VALUE
---@field default? string|number|boolean without one the parameter must be given
---@field type? "string"|"number"|"integer"|"boolean" default: that of the default
---@field description? string one line for the list of parameters
---@field enum? any[] the values it may have

---Options of eval.processor.
---@class evalua.processor_options
---@field id string names it in experiments and results
---@field process evalua.run_function process(input, item) -> output, info
---@field description? string
---@field version? string|number stands for the definition instead of its digest

---Options of eval.rules.all_items.
---@class evalua.rules_all_items_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.at_least.
---@class evalua.rules_at_least_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.at_most.
---@class evalua.rules_at_most_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.improved.
---@class evalua.rules_improved_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"
---@field margin? number how much worse is no worse
---@field alpha? number significance level, 0.05
---@field cluster? string field whose equal values belong together; default that of the experiment

---Options of eval.rules.max_cost.
---@class evalua.rules_max_cost_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field per? "run"|"item" default run
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.max_latency.
---@class evalua.rules_max_latency_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field percentile? number 50, 95, 99 or 100 (the slowest, the default)
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.no_new_failures.
---@class evalua.rules_no_new_failures_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.no_regression.
---@class evalua.rules_no_regression_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"
---@field margin? number how much worse is no worse
---@field alpha? number significance level, 0.05
---@field cluster? string field whose equal values belong together; default that of the experiment

---Options of eval.rules.no_worse.
---@class evalua.rules_no_worse_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"
---@field margin? number how much worse is no worse
---@field alpha? number significance level, 0.05
---@field cluster? string field whose equal values belong together; default that of the experiment

---Options of eval.rules.pass_rate.
---@class evalua.rules_pass_rate_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.rules.success_rate.
---@class evalua.rules_success_rate_options
---@field inconclusive? "pass"|"fail" what inconclusive means for this rule
---@field min_n? integer fewer scored results than this are no data
---@field slice? string only results of this slice: "metadata.lang=de"
---@field each? string every slice of this field by itself: "metadata.lang"

---Options of eval.scorer.
---@class evalua.scorer_options : evalua.common_scorer_options
---@field score evalua.score_function score(run, stage)
---@field preprocess? function preprocess(run, stage), before the others; its result is stage.preprocess
---@field analyze? function analyze(run, stage), before `score`; its result is stage.analyze
---@field reason? function reason(run, stage), after `score`: the reason as text, or nil

---What eval.fetch returns.
---@class evalua.response
---@field status integer
---@field headers table<string, string> by lower-case names; found however they are written
---@field body string? the whole body; nil where it is streamed
---@field json any? the body as JSON; nil where it is none
---@field url string of the last request, after redirects
---@field read fun(self: evalua.response): string? the next piece of a streamed body; nil at its end
---@field events fun(self: evalua.response): fun(): evalua.server_event? the server-sent events of a streamed body
---@field json_lines fun(self: evalua.response): fun(): any, string? the JSON lines of a streamed body
---@field close fun(self: evalua.response) ends a streamed answer early

---@class evalua.server_event
---@field event string "message" where the server names none
---@field data string
---@field id? string
---@field retry? integer

---Options of eval.fetch.
---@class evalua.fetch_options
---@field url? string http:// or https://; with a model also what comes behind the model's
---@field model? string|evalua.model the id of a model, or what eval.model returned: its key and limits hold
---@field method? string GET, or POST where there is a body
---@field headers? table<string, string|number|false> names and values; false leaves one out that would be sent
---@field body? string text to send
---@field json? any a value to send as JSON, instead of body
---@field form? table<string, any> names and values to send as a form, instead of body
---@field stream? boolean return when the headers are there; the body is read piece by piece
---@field timeout? number|string from the start to the end of the answer (default 10m)
---@field connect_timeout? number|string until there is a connection (default 5s)
---@field first_byte_timeout? number|string until the first byte of the answer
---@field max_bytes? integer|string limit of the body, decompressed (default 67108864)
---@field redirects? integer how many are followed; 0: the redirect is the answer (default 5)
---@field cache? boolean|evalua.cache_mode the mode where neither the run nor the experiment names one; false: never

---Options of eval.limit.
---@class evalua.limit_options
---@field id string limits of one id are one limit, in all workers
---@field max_concurrency? integer how many calls run at a time
---@field requests_per_minute? number how many calls begin in any minute

---Options of eval.model.
---@class evalua.model_options
---@field id string how targets and requests name it
---@field url? string what relative URLs of requests are put behind
---@field api_key? string sent as `Authorization: Bearer` to that URL's host; use eval.env
---@field max_concurrency? integer requests at a time, over all workers
---@field requests_per_minute? number requests begun in any minute, over all workers
---@field price? { input: number?, output: number? } USD for a million tokens

---Options of eval.http.
---@class evalua.http_options
---@field id string names it in experiments and results
---@field url? string|fun(input: any, item: evalua.item): string with a model also what comes behind the model's
---@field model? string|evalua.model the id of a model, or what eval.model returned: its key, limits and price hold
---@field method? string GET, or POST where there is a body
---@field headers? table<string, any>|fun(input: any, item: evalua.item): table<string, any>
---@field body? any a template: text as it is, a table as JSON; or function(input, item) -> text or table
---@field output? string|fun(response: evalua.response, item: evalua.item): any, evalua.info?
---@field retries? integer further tries of one request (default 3)
---@field version? string|number stands for the definition instead of its digest
---@field timeout? number|string from the start to the end of the answer (default 10m)
---@field connect_timeout? number|string until there is a connection (default 5s)
---@field first_byte_timeout? number|string until the first byte of the answer
---@field max_bytes? integer|string limit of the body, decompressed (default 67108864)
---@field redirects? integer how many are followed; 0: the redirect is the answer (default 5)
---@field cache? boolean|evalua.cache_mode the mode where neither the run nor the experiment names one; false: never

---Options of a reply of evalua mock.
---@class evalua.mock_reply
---@field status? integer of the answer (default 200)
---@field headers? table<string, string> names and values
---@field body? string text
---@field json? any a value to send as JSON
---@field file? string a recorded body, from the directory of the script
---@field stream? (string|number)[] pieces sent one after another: texts, or numbers: milliseconds to wait
---@field fill? integer a body of so many bytes, made on the way
---@field delay? number|string before the answer begins
---@field cut? integer the connection is cut after so many bytes of the body; 0: there is no answer at all
---@field drip? number|string the body is sent byte by byte, with this pause between
---@field silent? boolean there is never an answer

---Options of eval.spawn.
---@class evalua.spawn_options
---@field argv string[] program and arguments; no shell is involved
---@field stdin? string text for its stdin (default: nothing)
---@field timeout? number|string then it is killed, and the call raises an error
---@field cwd? string working directory, from the directory of the script that says it (default: ours)
---@field env? table<string, string|false> variables added to the environment; false removes one
---@field max_output? integer|string limit output_bytes for stdout and for stderr (default 10485760)

---Options of eval.target.
---@class evalua.target_options
---@field id string names it in experiments and results
---@field run evalua.run_function run(input, item) -> output, info
---@field description? string
---@field version? string|number stands for the definition instead of its digest

---Options of eval.workflow.
---@class evalua.workflow_options
---@field id string names it in experiments and results
---@field steps (evalua.workflow_step|evalua.workflow_parallel)[] steps, or { parallel = { steps } }
---@field description? string
---@field version? string|number stands for the definition instead of its digest

---Options of scorer contains.
---@class evalua.scorer_contains_options : evalua.common_scorer_options
---@field value? any a text or a list of texts; the ground truth where absent
---@field ignore_case? boolean compare without regard to case
---@field any? boolean one of several texts is enough
---@field all? boolean all of several texts are needed (this is the default)

---Options of scorer equals.
---@class evalua.scorer_equals_options : evalua.common_scorer_options
---@field value? any expected instead of the ground truth
---@field ignore? any[]|string paths left out, such as "id" or "items.*.time"; lists count from 1
---@field tolerance? number numbers may differ by this much
---@field parse? boolean read an output that is a string as JSON first

---Options of scorer exact.
---@class evalua.scorer_exact_options : evalua.common_scorer_options
---@field value? any expected instead of the ground truth
---@field ignore_case? boolean compare without regard to case
---@field trim? boolean leave out white space at both ends

---Options of scorer excludes.
---@class evalua.scorer_excludes_options : evalua.common_scorer_options
---@field value? any a text or a list of texts; the ground truth where absent
---@field ignore_case? boolean compare without regard to case

---Options of scorer json_valid.
---@class evalua.scorer_json_valid_options : evalua.common_scorer_options
---@field container? boolean it must be an object or an array

---Options of scorer length.
---@class evalua.scorer_length_options : evalua.common_scorer_options
---@field min? integer the least that is allowed
---@field max? integer the most that is allowed
---@field unit? "characters"|"words"|"bytes" characters, words or bytes (default characters)

---Options of scorer levenshtein.
---@class evalua.scorer_levenshtein_options : evalua.common_scorer_options
---@field value? any compared with instead of the ground truth
---@field ignore_case? boolean compare without regard to case
---@field trim? boolean leave out white space at both ends

---Options of scorer matches.
---@class evalua.scorer_matches_options : evalua.common_scorer_options
---@field pattern string PCRE2, such as "^\\d+$"
---@field flags? string of i (ignore case), m (^ and $ at lines), s (. matches line ends), x (free spacing)

---Options of scorer numeric.
---@class evalua.scorer_numeric_options : evalua.common_scorer_options
---@field value? number|string expected instead of the ground truth
---@field after? string read only what follows the last such marker: "A:"
---@field tolerance? number the absolute difference that is allowed
---@field relative? number the difference that is allowed as a share of the expected number
---@field decimal_comma? boolean a comma marks decimals and dots separate thousands

---Options of scorer one_of.
---@class evalua.scorer_one_of_options : evalua.common_scorer_options
---@field value? any[] the right values, instead of the ground truth
---@field ignore_case? boolean compare without regard to case
---@field trim? boolean leave out white space at both ends

---Options of scorer similarity.
---@class evalua.scorer_similarity_options : evalua.common_scorer_options
---@field value? any compared with instead of the ground truth
---@field ignore_case? boolean compare without regard to case
---@field trim? boolean leave out white space at both ends
---@field method? "jaro_winkler"|"jaro"|"dice"|"lcs"|"levenshtein"|"damerau"

---Options of scorer starts_with.
---@class evalua.scorer_starts_with_options : evalua.common_scorer_options
---@field value? any a text or a list of texts; the ground truth where absent
---@field ignore_case? boolean compare without regard to case

---Options of scorer word_count.
---@class evalua.scorer_word_count_options : evalua.common_scorer_options
---@field min? integer the least that is allowed
---@field max? integer the most that is allowed
