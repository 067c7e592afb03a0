'use strict';

require('../fastify_optins').serve();
