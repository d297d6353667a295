/* Target app-runner without a network: spellings, what would be sent, and what can't be. */
#include "base/json.h"
#include "pipeline/project.h"
#include "tap.h"
#include "target/app_runner/hint.h"
#include "target/app_runner/settings.h"
#include "target/app_runner/shape.h"
#include "target/aws/arn.h"

#define ECR  "123456789012.dkr.ecr.eu-west-1.amazonaws.com/"
#define ROLE "arn:aws:iam::123456789012:role/"

static const struct health health = {.path = "/", .status = 200};

/* As the table leaves what nobody said. */
static struct app_runner_settings settings_of(const char *image)
{
	return (struct app_runner_settings){
		.image = image, .access_role = ROLE "access", .ingress = -1, .ip_address_type = -1};
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
		{"1", "1024", "1024"},
		{"1024", "1024", "1024"},
		{"1 vCPU", "1024", NULL},
		{"1vcpu", "1024", NULL},
		{"0.25", "256", NULL},
		{"0.5 vCPU", "512", NULL},
		{"2", "2048", "2048"},
		{"2 GB", NULL, "2048"},
		{"2GB", NULL, "2048"},
		{"0.5", "512", "512"},
		{"12 GB", NULL, "12288"},
		{"12288", NULL, "12288"},
		{"2.0", "2048", "2048"},
		{"3 vCPU", NULL, NULL},
		{"", NULL, NULL},
		{"1 GHz", NULL, NULL},
		{"-1", NULL, NULL},
		{"1,5", NULL, NULL},
		{"11111111111111111111111", NULL, NULL},
		{"1 vCPU x", NULL, NULL},
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		same_str(app_runner_cpu(words[i].said), words[i].cpu, words[i].said);
		same_str(app_runner_memory(words[i].said), words[i].memory, "and as memory");
	}
	same_str(app_runner_branch("refs/heads/feature/a"), "feature/a", "a branch with a slash");
	same_str(app_runner_branch("main"), "main", "a plain one");
	ok(app_runner_is_ecr(ECR "shop:1"), "ECR");
	ok(!app_runner_is_ecr("12345678901.dkr.ecr.eu-west-1.amazonaws.com/a"), "11 digits");
	ok(!app_runner_is_ecr("docker.io/shop"), "not ECR");
	ok(app_runner_is_ecr_public("public.ecr.aws/a/b:1"), "ECR Public");
}

static void arns(void)
{
	struct err err = ERR_INIT;

	ok(arn_is_secret("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:key::"),
	   "a secret with a key");
	ok(arn_is_secret("arn:aws:ssm:eu-west-1:123456789012:parameter/shop/db"), "a parameter");
	ok(!arn_is_secret("hunter2"), "a value");
	ok(!arn_is_secret("arn:aws:s3:::bucket"), "another service's");
	ok(!arn_is_secret("arn:aws:secretsmanager:eu-west-1:123456789012:secret:a b"), "a space");
	same_int(arn_check(ROLE "x", "iam", "role/", &err), 0, "a role");
	same_int(arn_check("arn:aws:iam::123456789012:user/x", "iam", "role/", &err), -1, "a user");
	ok(strstr(err.text, "arn:aws:iam::123456789012:role/") != NULL, "the form is shown");
	same_int(arn_check("arn:aws:kms:eu-west-1:12:key/x", "kms", "key/", &err), -1,
		 "a short account");
	same_int(arn_check("arn", "kms", "key/", &err), -1, "no ARN");
}

static const char live_service[] =
	"{'ServiceName':'shop','Status':'RUNNING','ServiceUrl':'x.awsapprunner.com',"
	"'SourceConfiguration':{'ImageRepository':{'ImageIdentifier':'" ECR "shop:old',"
	"'ImageRepositoryType':'ECR','ImageConfiguration':{'Port':'3000','StartCommand':'node .',"
	"'RuntimeEnvironmentVariables':{'A':'1','B':'2'}}},'AutoDeploymentsEnabled':false,"
	"'AuthenticationConfiguration':{'AccessRoleArn':'" ROLE "access'}},"
	"'InstanceConfiguration':{'Cpu':'1024','Memory':'2048','InstanceRoleArn':'" ROLE "app'},"
	"'HealthCheckConfiguration':{'Protocol':'TCP','Path':'/','Interval':5,'Timeout':2,"
	"'HealthyThreshold':1,'UnhealthyThreshold':5},"
	"'AutoScalingConfigurationSummary':{'AutoScalingConfigurationArn':'arn:x/y/1/z'},"
	"'NetworkConfiguration':{'EgressConfiguration':{'EgressType':'DEFAULT'},"
	"'IngressConfiguration':{'IsPubliclyAccessible':true},'IpAddressType':'IPV4'},"
	"'ObservabilityConfiguration':{'ObservabilityEnabled':false}}";

static json_t *live_shape(void)
{
	autofree char *text = xstrdup(live_service);
	json_auto json_t *service = NULL;

	for (char *at = text; *at; at++)
		if (*at == '\'')
			*at = '"';
	service = parse(text);
	return shape_live(service);
}

static json_t *change_of(const struct app_runner_settings *settings, const struct app *app,
			 bool replace)
{
	json_auto json_t *live = live_shape(), *merged = NULL;
	json_auto json_t *wish = shape_wish(settings, app, settings->image, settings->scaling_arn);
	struct err err = ERR_INIT;

	if (shape_merge(&merged, live, wish, replace, &err))
		bail_out(err.text);
	return shape_change(live, merged);
}

static void changes(void)
{
	struct app_runner_settings settings = settings_of(ECR "shop:old");
	static const char *const env[] = {"B=3", "C=", NULL};
	struct app none = app_of(NULL, NULL), some = app_of(env, NULL);
	json_auto json_t *nothing = change_of(&settings, &none, false), *cpu, *health_change,
			 *image;
	json_auto json_t *merged, *replaced, *network;
	struct app_runner_health check = {.protocol = -1, .path = "/up"};

	same_json(nothing, "{}", "what is so already isn't sent");
	settings.cpu = "1 vCPU";
	settings.memory = "2GB";
	cpu = change_of(&settings, &none, false);
	same_json(cpu, "{}", "nor in another spelling");
	settings.cpu = settings.memory = NULL;
	settings.health_check = &check;
	health_change = change_of(&settings, &none, false);
	same_json(health_change,
		  "{\"HealthCheckConfiguration\":{\"Protocol\":\"HTTP\",\"Path\":\"/up\","
		  "\"Interval\":5,\"Timeout\":2,\"HealthyThreshold\":1,\"UnhealthyThreshold\":5}}",
		  "a group is sent whole, the others aren't");
	settings.health_check = NULL;
	settings.image = ECR "shop:new";
	image = change_of(&settings, &none, false);
	same_str(json_text(image, "SourceConfiguration.ImageRepository.ImageConfiguration."
				  "RuntimeEnvironmentVariables.A"),
		 "1", "a new image keeps the variables");
	same_str(json_text(image, "SourceConfiguration.ImageRepository.ImageConfiguration."
				  "StartCommand"),
		 "node .", "and the command");
	ok(json_is_false(json_at(image, "SourceConfiguration.AutoDeploymentsEnabled")),
	   "AutoDeploymentsEnabled is there");
	merged = change_of(&settings, &some, false);
	same_json(json_at(merged, "SourceConfiguration.ImageRepository.ImageConfiguration."
				  "RuntimeEnvironmentVariables"),
		  "{\"A\":\"1\",\"B\":\"3\",\"C\":\"\"}",
		  "merge: one stays, one changes, one comes");
	replaced = change_of(&settings, &some, true);
	same_json(json_at(replaced, "SourceConfiguration.ImageRepository.ImageConfiguration."
				    "RuntimeEnvironmentVariables"),
		  "{\"B\":\"3\",\"C\":\"\"}", "replace: what isn't named goes");
	settings.vpc_connector = "arn:aws:apprunner:eu-west-1:123456789012:vpcconnector/v/1/a";
	settings.ingress = INGRESS_PRIVATE;
	network = change_of(&settings, &none, false);
	same_json(
		json_at(network, "NetworkConfiguration"),
		"{\"EgressConfiguration\":{\"EgressType\":\"VPC\",\"VpcConnectorArn\":\"arn:aws:"
		"apprunner:eu-west-1:123456789012:vpcconnector/v/1/a\"},\"IngressConfiguration\":{"
		"\"IsPubliclyAccessible\":false},\"IpAddressType\":\"IPV4\"}",
		"the network");
}

static void secret_moves(void)
{
	struct app_runner_settings settings = settings_of(ECR "shop:old");
	static const char *const env[] = {
		"A=arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-bcdefg", NULL};
	static const char *const names[] = {"A", NULL};
	struct app app = app_of(env, names);
	json_auto json_t *change = change_of(&settings, &app, false);
	json_t *configuration =
		json_at(change, "SourceConfiguration.ImageRepository.ImageConfiguration");
	struct err err = ERR_INIT;

	same_json(json_object_get(configuration, "RuntimeEnvironmentVariables"), "{\"B\":\"2\"}",
		  "a variable that became a secret is no variable any more");
	same_str(json_text(configuration, "RuntimeEnvironmentSecrets.A"), env[0] + 2, "it is one");
	same_int(shape_check(change, "eu-west-1", &err), -1, "a secret and no role");
	json_object_set_new(change, "InstanceConfiguration",
			    json_pack("{s:s}", "InstanceRoleArn", ROLE "app"));
	same_int(shape_check(change, "eu-west-1", &err), 0, "with a role");
	same_int(shape_check(change, "eu-west-3", &err), -1, "from another region");
}

static void differences(void)
{
	static const char *const env[] = {"A=hunter2", "NEW=hunter3", NULL};
	struct app_runner_settings settings = settings_of(ECR "shop:new");
	struct app app = app_of(env, NULL);
	json_auto json_t *live = live_shape(), *merged = NULL, *wish;
	cleanup(buf_free) struct buf out = BUF_INIT(64 * 1024);
	struct err err = ERR_INIT;

	settings.cpu = "2";
	settings.memory = "4";
	wish = shape_wish(&settings, &app, settings.image, NULL);
	same_int(shape_merge(&merged, live, wish, true, &err), 0, "merge");
	shape_diff(live, merged, &out);
	same_str(buf_text(&out),
		 "image: " ECR "shop:old -> " ECR "shop:new\n"
		 "env A: changed\nenv NEW: added\nenv B: removed\n"
		 "cpu: 1024 -> 2048\nmemory: 2048 -> 4096\n",
		 "a line for each setting, and no variable's value");
}

static void source_kinds(void)
{
	struct app_runner_code code = {.repository = "https://github.com/acme/shop",
				       .branch = "refs/heads/x/y",
				       .source = CODE_SOURCE_REPOSITORY};
	struct app_runner_settings settings = settings_of(NULL);
	struct app app = app_of(NULL, NULL);
	json_auto json_t *live = live_shape(), *wish, *merged = NULL;
	struct err err = ERR_INIT;

	settings.code = &code;
	wish = shape_wish(&settings, &app, NULL, NULL);
	same_json(json_at(wish, "SourceConfiguration.CodeRepository"),
		  "{\"RepositoryUrl\":\"https://github.com/acme/shop\",\"SourceCodeVersion\":{"
		  "\"Type\":\"BRANCH\",\"Value\":\"x/y\"},\"CodeConfiguration\":{"
		  "\"ConfigurationSource\":\"REPOSITORY\"}}",
		  "code by apprunner.yaml");
	same_int(shape_merge(&merged, live, wish, false, &err), -1, "an image's service can't");
	same_int(err.kind, ERR_USAGE, "become code's");
	ok(!shape_same_source(live, wish), "they aren't the same");
	same_str(shape_runs(wish), "x/y", "what it runs is the branch");
}

static void check_says(struct app_runner_settings settings, struct app app, const char *const *want,
		       const char *name)
{
	struct err err = ERR_INIT;
	int result = app_runner_check(&settings, &app, &err);
	bool pass = result == (want[0] ? -1 : 0);

	for (; *want; want++)
		pass &= strstr(err.text, *want) != NULL;
	if (!ok(pass, name))
		tap_note("%d: %s", result, err.text);
}

#define SAYS(...)             \
	(const char *const[]) \
	{                     \
		__VA_ARGS__   \
	}

static void checks(void)
{
	static const char *const env[] = {"TOKEN=hunter2", NULL}, *const names[] = {"TOKEN", NULL};
	struct app_runner_health tcp = {.protocol = 0, .path = "/x"};
	struct app_runner_settings good = settings_of(ECR "shop:1"), bad = good;
	struct app app = app_of(NULL, NULL), secret = app_of(env, names);
	struct err err = ERR_INIT;

	check_says(good, app, SAYS(NULL), "an image, and a role to pull it");
	bad.access_role = NULL;
	bad.cpu = "4";
	bad.memory = "2";
	bad.health_check = &tcp;
	check_says(bad, app,
		   SAYS("access-role:", "cpu: '4' with memory: '2'", "health-check.path", NULL),
		   "three mistakes in one answer");
	check_says(good, secret, SAYS("secrets: 'TOKEN'", "isn't sent", NULL),
		   "a secret that is no ARN");
	ok(app_runner_check(&good, &secret, &err) == -1 && !strstr(err.text, "hunter2"),
	   "whose value isn't shown");
	bad = good;
	bad.image = NULL;
	check_says(bad, app, SAYS("say what to deploy", NULL), "nothing to deploy");
	app.image = true;
	check_says(good, app, SAYS("deploy one of them", NULL), "two images");
	check_says(bad, app, SAYS(NULL), "one that is built");
	app.environment = "an-environment-with-a-very-long-name-indeed";
	check_says(bad, app, SAYS("service-name", NULL), "a name that would be too long");
}

/* What a refusal tells people to write is accepted, and is the same service. */
static void express(void)
{
	static const struct field_pair secrets[] = {
		{"DB", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:url::"},
		{NULL, NULL}};
	static const struct field_pair tags[] = {{"team", "web: \"x\""}, {NULL, NULL}};
	struct app_runner_scaling scaling = {.min = 2, .max = 5};
	struct app_runner_settings settings = settings_of(ECR "shop:1");
	struct app app = app_of(NULL, NULL);
	cleanup(mistakes_free) struct mistakes mistakes = MISTAKES_INIT("slipway.yml");
	cleanup(arena_freep) struct arena *arena = arena_new();
	cleanup(buf_free) struct buf out = BUF_INIT(4096);
	struct project *project = NULL;
	struct err err = ERR_INIT;

	settings.cpu = "0.5 vCPU";
	settings.memory = "1 GB";
	settings.port = 3000;
	settings.instance_role = ROLE "app";
	settings.runtime_secrets = secrets;
	settings.tags = tags;
	settings.scaling = &scaling;
	buf_adds(&out, "version: 1\nservices:\n  shop:\n    environments:\n");
	hint_express(&settings, &app, "eu-west-1", "123456789012", &out);
	ok(strstr(buf_text(&out), "target: ecs-express\n") && strstr(buf_text(&out), "port: 3000\n")
		   && strstr(buf_text(&out), "cpu: 512\n")
		   && strstr(buf_text(&out), "image: " ECR "shop:1\n"),
	   "the same service for ecs-express");
	if (!ok(project_read(&project, "slipway.yml", buf_text(&out), out.size, arena, &mistakes,
			     &err)
			== 0,
		"is accepted as it stands"))
		tap_note("%s\n%s", buf_text(&mistakes.text), buf_text(&out));
}

int main(void)
{
	spellings();
	arns();
	changes();
	secret_moves();
	differences();
	source_kinds();
	checks();
	express();
	return tap_done();
}
