/* Target ecs-express without a network: spellings, what would be sent, and what can't be. */
#include "base/json.h"
#include "tap.h"
#include "target/ecs_express/settings.h"
#include "target/ecs_express/shape.h"

#define IMAGE "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop:1"
#define ROLE  "arn:aws:iam::123456789012:role/"

static const struct health health = {.path = "/up", .status = 200};

/* As the table leaves what nobody said. */
static struct express_settings settings_of(void)
{
	return (struct express_settings){.image = IMAGE,
					 .execution_role = ROLE "execution",
					 .infrastructure_role = ROLE "infrastructure",
					 .architecture = -1};
}

static struct app app_of(const char *const *env, const char *const *secrets)
{
	return (struct app){.service = "shop",
			    .environment = "production",
			    .env = env,
			    .secrets = secrets,
			    .health = &health};
}

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	if (!json)
		bail_out(text);
	return json;
}

static void same_json(json_t *got, const char *want, const char *name)
{
	json_auto json_t *wanted = parse(want);
	autofree char *shown = json_dumps(got, JSON_COMPACT);

	if (!ok(json_equal(got, wanted), name))
		tap_note("got:  %s\nwant: %s", shown ? shown : "(null)", want);
}

static void spellings(void)
{
	static const struct {
		const char *said, *cpu, *memory;
	} words[] = {
		{"1", "1024", "1024"},    {"1024", "1024", "1024"}, {"0.25", "256", NULL},
		{"0.5", "512", "512"},    {"512", "512", "512"},    {"256", "256", NULL},
		{"1 vCPU", "1024", NULL}, {"1vcpu", "1024", NULL},  {"16", "16384", "16384"},
		{"2 GB", NULL, "2048"},   {"2gb", NULL, "2048"},    {"120", NULL, "122880"},
		{"30720", NULL, "30720"}, {"1.0", "1024", "1024"},  {"0", NULL, NULL},
		{"", NULL, NULL},         {"-1", NULL, NULL},       {"3", NULL, "3072"},
		{"1.", NULL, NULL},       {"1 TB", NULL, NULL},     {"121", NULL, NULL},
		{"9999999", NULL, NULL},  {"1e3", NULL, NULL},      {"0.25 vCPU ", NULL, NULL},
	};
	cleanup(arena_freep) struct arena *arena = arena_new();

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		same_str(express_cpu(words[i].said, arena), words[i].cpu, words[i].said);
		same_str(express_memory(words[i].said, arena), words[i].memory, words[i].said);
	}
}

static void pairs(void)
{
	static const struct {
		const char *cpu, *memory;
		bool good;
	} rows[] = {
		{"256", "512", true},      {"256", "2048", true},     {"256", "3072", false},
		{"512", "512", false},     {"512", "4096", true},     {"1024", "1024", false},
		{"1024", "8192", true},    {"2048", "16384", true},   {"4096", "30720", true},
		{"4096", "31744", false},  {"8192", "20480", true},   {"8192", "17408", false},
		{"16384", "122880", true}, {"16384", "16384", false}, {"300", "512", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ok(express_is_pair(rows[i].cpu, rows[i].memory) == rows[i].good, rows[i].cpu);
}

static void a_new_one(void)
{
	struct express_settings settings = settings_of();
	struct app app = app_of((const char *const[]){"A=1", NULL}, NULL);
	json_auto json_t *wish = express_shape_wish(&settings, &app, IMAGE);
	json_auto json_t *merged = express_shape_merge(NULL, wish, false);
	json_auto json_t *sent = express_shape_send(merged);

	same_json(sent,
		  "{\"executionRoleArn\": \"" ROLE "execution\", \"healthCheckPath\": \"/up\","
		  "\"cpu\": \"256\", \"memory\": \"512\", \"scalingTarget\": {\"minTaskCount\": 1,"
		  "\"maxTaskCount\": 20, \"autoScalingMetric\": \"AVERAGE_CPU\","
		  "\"autoScalingTargetValue\": 60}, \"primaryContainer\": {\"image\": \"" IMAGE
		  "\", \"containerPort\": 8080, \"environment\": [{\"name\": \"A\", \"value\": "
		  "\"1\"}, {\"name\": \"PORT\", \"value\": \"8080\"}], \"secrets\": []}}",
		  "a new service is sent a value for everything");
}

#define LIVE                                                                                       \
	"{\"serviceRevisionArn\": \"r1\", \"executionRoleArn\": \"" ROLE                           \
	"execution\", \"taskRoleArn\": \"" ROLE "task\", \"cpu\": \"1024\", \"memory\": "          \
	"\"2048\", \"healthCheckPath\": \"/up\", \"networkConfiguration\": {\"subnets\": "         \
	"[\"subnet-b\", \"subnet-a\"], \"securityGroups\": []}, \"scalingTarget\": "               \
	"{\"minTaskCount\": 2, \"maxTaskCount\": 4, \"autoScalingMetric\": \"AVERAGE_CPU\", "      \
	"\"autoScalingTargetValue\": 50}, \"primaryContainer\": {\"image\": \"" IMAGE              \
	"\", \"containerPort\": 3000, \"command\": [], \"environment\": [{\"name\": \"PORT\", "    \
	"\"value\": \"3000\"}, {\"name\": \"KEPT\", \"value\": \"x\"}], \"secrets\": [{\"name\": " \
	"\"DB\", \"valueFrom\": \"arn:aws:ssm:eu-west-1:123456789012:parameter/db\"}]}}"

static void what_is_there(void)
{
	struct express_settings settings = settings_of();
	struct app app = app_of(NULL, NULL);
	json_auto json_t *configuration = parse(LIVE), *live = express_shape_live(configuration);
	json_auto json_t *wish = express_shape_wish(&settings, &app, IMAGE);
	json_auto json_t *same = express_shape_merge(live, wish, false), *change = NULL;
	json_auto json_t *other = NULL, *merged = NULL;
	cleanup(buf_free) struct buf text = BUF_INIT(4096);
	static const char *const env[] = {"DB=sqlite", "HIDDEN=hunter2", NULL};

	same_json(json_object_get(live, "networkConfiguration"),
		  "{\"subnets\": [\"subnet-a\", \"subnet-b\"]}", "sorted, nothing empty");
	change = express_shape_change(live, same);
	same_json(change, "{}", "nothing that isn't mentioned changes");
	app.env = env;
	settings.cpu = "2";
	settings.memory = "4";
	other = express_shape_wish(&settings, &app, IMAGE "2");
	merged = express_shape_merge(live, other, false);
	same_json(json_at(merged, "primaryContainer.environment"),
		  "{\"PORT\": \"3000\", \"KEPT\": \"x\", \"DB\": \"sqlite\", \"HIDDEN\": "
		  "\"hunter2\"}",
		  "what was there stays");
	ok(!json_at(merged, "primaryContainer.secrets"), "a name is a secret or a variable");
	express_shape_diff(live, merged, &text);
	ok(strstr(buf_text(&text), "cpu: 1024 -> 2048\n")
		   && strstr(buf_text(&text), "image: " IMAGE " -> " IMAGE "2\n")
		   && strstr(buf_text(&text), "env HIDDEN: added\n")
		   && strstr(buf_text(&text), "runtime-secrets DB: removed\n"),
	   "the difference, setting by setting");
	ok(!strstr(buf_text(&text), "hunter2"), "without a variable's value");
	json_decref(merged);
	merged = express_shape_merge(live, other, true);
	ok(!json_at(merged, "primaryContainer.environment.KEPT"), "replace: it goes");
}

static void questions(void)
{
	json_auto json_t *service = parse(
		"{\"activeConfigurations\": [{\"serviceRevisionArn\": \"a\", \"ingressPaths\": "
		"[{\"accessType\": \"PRIVATE\", \"endpoint\": \"p\"}]}, {\"serviceRevisionArn\": "
		"\"b\", \"ingressPaths\": [{\"accessType\": \"PRIVATE\", \"endpoint\": \"p\"}, "
		"{\"accessType\": \"PUBLIC\", \"endpoint\": \"u\"}]}, {\"serviceRevisionArn\": "
		"\"c\"}]}");

	ok(express_is_active(service, "b") && !express_is_active(service, "d"), "active");
	same_str(express_url(express_active(service, "b")), "u", "the public one");
	ok(express_is_private(express_active(service, "a")), "private only");
	ok(!express_is_private(express_active(service, "c")), "not told yet isn't private");
	ok(!express_url(express_active(NULL, "a")), "no service, no URL");
}

static void mistakes(void)
{
	static const char *const env[] = {"KEY=hunter2", NULL}, *const secrets[] = {"KEY", NULL};
	struct express_settings settings = settings_of();
	struct app app = app_of(env, secrets);
	struct err err = ERR_INIT;

	ok(express_check(&settings, &app, &err) == -1 && strstr(err.text, "isn't sent")
		   && !strstr(err.text, "hunter2"),
	   "a secret's value is refused, and not shown");
	app.secrets = NULL;
	same_int(express_check(&settings, &app, &err), 0, "a variable is fine");
	settings.service_arn = "arn:aws:ecs:eu-west-1:123456789012:service/blue/shop";
	settings.execution_role = settings.infrastructure_role = NULL;
	same_int(express_check(&settings, &app, &err), 0, "a service by its ARN needs no roles");
	settings.cluster = "green";
	ok(express_check(&settings, &app, &err) == -1 && strstr(err.text, "of another"),
	   "another cluster's");
}

int main(void)
{
	spellings();
	pairs();
	a_new_one();
	what_is_there();
	questions();
	mistakes();
	return tap_done();
}
